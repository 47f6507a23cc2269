import type { Mappings, Segment } from './source-map.ts'
import { type SyntaxNode, childrenOf } from './syntax.ts'

/**
 * Puts each line of lowered code on the line of the source it came from, as far as the order of lines allows, so that
 * stack traces name the right line without a source map too. `insideText` are lines that nothing may be put before.
 */
export function alignLines(
  code: string,
  mappings: Mappings,
  insideText: ReadonlySet<number>,
): { readonly code: string; readonly mappings: Segment[][] } {
  const aligned: Segment[][] = [[]]
  let text = ''
  for (const [index, line] of code.split('\n').entries()) {
    const segments = mappings[index] ?? []
    const wanted = segments[0]?.[1]
    const current = aligned.length - 1
    let shift = 0
    if (index === 0) text = line
    else if (insideText.has(index) || /(?:^|\s)\/\//.test(lastLine(text))) {
      text += `\n${line}`
      aligned.push([])
    } else if (wanted !== undefined && wanted > current) {
      text += '\n'.repeat(wanted - current) + line
      while (aligned.length <= wanted) aligned.push([])
    } else {
      const trimmed = line.trimStart()
      shift = lastLine(text).length + 1 - (line.length - trimmed.length)
      text += ` ${trimmed}`
    }
    for (const [column, at, of] of segments) aligned.at(-1)!.push([column + shift, at, of])
  }
  return { code: text, mappings: aligned }
}

const lastLine = (text: string): string => text.slice(text.lastIndexOf('\n') + 1)

/** Lines, from 0, that begin inside a template: nothing may be put in front of them. */
export function linesInsideText(text: string, tree: SyntaxNode): Set<number> {
  const lines = new Set<number>()
  const visit = (node: SyntaxNode): void => {
    if (node.type === 'TemplateElement') {
      const first = text.slice(0, node.start).split('\n').length
      const count = text.slice(node.start, node.end).split('\n').length - 1
      for (let line = 0; line < count; line += 1) lines.add(first + line)
    }
    for (const child of childrenOf(node)) visit(child)
  }
  visit(tree)
  return lines
}
