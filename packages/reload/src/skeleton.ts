import MagicString from 'magic-string'
import { MAP_COMMENT } from './source-map.ts'
import { type SyntaxNode, childrenOf, isFunction, nodeOf, nodesOf, parse } from './syntax.ts'

/** Rewritten code without the bodies of its functions and its map: what a live edit cannot change. */
export function skeletonOf(file: string, text: string): string {
  const map = text.lastIndexOf(MAP_COMMENT)
  const code = map === -1 ? text : text.slice(0, map)
  const edit = new MagicString(code)
  const visit = (node: SyntaxNode): void => {
    const isFactory = isFunction(node) && nodesOf(node, 'params')[0]?.['name'] === '__p'
    if (isFunction(node) && !isFactory) {
      const body = nodeOf(node, 'body')
      if (body.end > body.start) edit.remove(body.start, body.end)
      return
    }
    for (const child of childrenOf(node)) visit(child)
  }
  visit(parse(file, code))
  return edit.toString().replace(/\s+/g, ' ')
}
