import { type SyntaxNode, childrenOf } from './syntax.ts'

/**
 * Puts each line of lowered code on the line of the source it came from, as far as the order of lines allows, so that
 * stack traces need no source map. `before` is the lowered code that `code` was edited from, line for line.
 */
export function alignLines(
  code: string,
  before: string,
  tree: SyntaxNode,
  sourceLines: readonly (number | undefined)[],
): string {
  const insideText = linesInsideText(before, tree)
  let text = ''
  let current = 0
  for (const [index, line] of code.split('\n').entries()) {
    const wanted = sourceLines[index]
    if (index === 0) text = line
    else if (insideText.has(index) || /(?:^|\s)\/\//.test(lastLine(text))) {
      text += `\n${line}`
      current += 1
    } else if (wanted !== undefined && wanted > current) {
      text += '\n'.repeat(wanted - current) + line
      current = wanted
    } else text += ` ${line.trimStart()}`
  }
  return text
}

const lastLine = (text: string): string => text.slice(text.lastIndexOf('\n') + 1)

/** Lines, from 0, that begin inside a template: nothing may be put in front of them. */
function linesInsideText(text: string, tree: SyntaxNode): Set<number> {
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
