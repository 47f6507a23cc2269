// What a class looks like in its source, for the comparison of its versions.
import type { ClassShape, MemberShape } from './module-code.ts'
import { type SyntaxNode, isClass, nameOf, nodeOf, nodesOf, parse } from './syntax.ts'

const oneLine = (text: string): string => text.replace(/\s+/g, ' ')

export function shapeOf(
  node: SyntaxNode,
  text: string,
  lineOf: (offset: number) => number,
): ClassShape {
  const members = new Map<string, MemberShape>()
  const textOf = ({ start, end }: SyntaxNode): string => text.slice(start, end)
  let hasPrivates = false
  for (const member of nodesOf(nodeOf(node, 'body'), 'body')) {
    const key = member['key'] as SyntaxNode | undefined
    const value = member['value'] as SyntaxNode | null | undefined
    if (!isRun(member)) continue
    hasPrivates ||= key?.type === 'PrivateIdentifier'
    const isStatic = member['static'] === true
    const isField = member.type === 'PropertyDefinition' || member.type === 'AccessorProperty'
    const label =
      key === undefined
        ? `static block ${members.size}`
        : (isStatic ? 'static ' : '') +
          (member['kind'] === 'get' ? 'get ' : member['kind'] === 'set' ? 'set ' : '') +
          textOf(key)
    const decorators = (member['decorators'] ?? []) as SyntaxNode[]
    // Without its type, a field is its name and its initialiser.
    const own = isField
      ? [...decorators.map(textOf), label, value == null ? '' : textOf(value)].join(' ')
      : textOf(member)
    members.set(label, {
      text: oneLine(own),
      line: lineOf(key?.start ?? member.start),
      kind:
        key === undefined
          ? 'static-block'
          : isField
            ? isStatic
              ? 'static-field'
              : 'field'
            : 'method',
      suspends: value != null && (value['async'] === true || value['generator'] === true),
    })
  }
  const parent = node['superClass'] as SyntaxNode | null
  return {
    line: lineOf(node.start),
    parent: parent === null ? '' : textOf(parent),
    members,
    hasPrivates,
    isLowered: false,
  }
}

/** Members of types alone are not there when the class runs. */
function isRun(member: SyntaxNode): boolean {
  if (member.type.startsWith('TS') || member['declare'] === true) return false
  return (member['value'] as SyntaxNode | null)?.type !== 'TSEmptyBodyFunctionExpression'
}

/** The classes at the top level of a source that is lowered for running, as they were written. */
export function sourceShapes(file: string, source: string): Map<string, ClassShape> {
  const starts = [...source.matchAll(/\n/g)].map(({ index }) => index + 1)
  const lineOf = (offset: number): number => 1 + starts.filter((start) => start <= offset).length
  const shapes = new Map<string, ClassShape>()
  const note = (node: SyntaxNode | null | undefined, name: string): void => {
    if (node != null && isClass(node)) shapes.set(name, shapeOf(node, source, lineOf))
  }
  for (const statement of nodesOf(parse(file, source, file.endsWith('x') ? 'tsx' : 'ts'), 'body')) {
    const node = (statement['declaration'] ?? statement) as SyntaxNode
    if (node.type === 'VariableDeclaration')
      for (const one of nodesOf(node, 'declarations'))
        note(one['init'] as SyntaxNode | null, nameOf(one['id']))
    else note(node, node['id'] == null ? 'default' : nameOf(node['id']))
  }
  return shapes
}
