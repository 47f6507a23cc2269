import fc from 'fast-check'

export interface Spelling {
  readonly text: string
  readonly value: unknown
}

const gap = fc.constantFrom('', ' ', '\n', '\t', '\u00A0', '/* } */', '// ]\n', ' /*"*/ ', '\uFEFF')

const string = fc
  .tuple(fc.string({ unit: 'binary', maxLength: 12 }), fc.constantFrom('"', "'"), fc.nat())
  .map(([value, quote, seed]): Spelling => {
    let text = quote
    let at = seed
    for (const unit of value.split('')) {
      const code = unit.charCodeAt(0)
      at = (at * 31 + 7) % 1009
      if (unit === quote || unit === '\\' || unit === '\n' || unit === '\r' || at % 5 === 0)
        text += code < 256 && at % 2 === 0 ? `\\x${hex(code, 2)}` : `\\u${hex(code, 4)}`
      else if (at % 11 === 0) text += `\\\r\n${unit}`
      else text += unit
    }
    return { text: text + quote, value }
  })

const number = fc.oneof(
  fc
    .double()
    .map((value): Spelling => ({ text: Object.is(value, -0) ? '-0' : String(value), value })),
  fc.integer().map((value): Spelling => ({
    text: `${value < 0 ? '-' : '+'}0x${Math.abs(value).toString(16)}`,
    value,
  })),
  fc.nat(999).map((value): Spelling => ({ text: `${value}.`, value })),
  fc.nat(999).map((value): Spelling => ({ text: `.${value}e1`, value: Number(`.${value}e1`) })),
)

const literal = fc
  .constantFrom<unknown>(null, true, false, Number.NaN, Number.POSITIVE_INFINITY)
  .map((value): Spelling => ({ text: String(value), value }))

const identifier = fc
  .stringMatching(/^[a-z_é键][a-z0-9_]{0,6}$/)
  .map((value): Spelling => ({ text: value, value }))

const { document } = fc.letrec<{ document: Spelling; array: Spelling; object: Spelling }>(
  (tie) => ({
    document: fc.oneof(
      { depthSize: 'small' },
      string,
      number,
      literal,
      tie('array'),
      tie('object'),
    ),
    array: fc
      .tuple(fc.array(fc.tuple(tie('document'), gap, gap), { maxLength: 4 }), fc.boolean())
      .map(([items, trails]): Spelling => ({
        text: `[${items.map(([item, before, after]) => before + item.text + after).join(',')}${trails && items.length > 0 ? ',' : ''}]`,
        value: items.map(([item]) => item.value),
      })),
    object: fc
      .tuple(
        fc.uniqueArray(fc.tuple(fc.oneof(string, identifier), tie('document'), gap, gap, gap), {
          maxLength: 4,
          selector: ([key]) => key.value,
        }),
        fc.boolean(),
      )
      .map(([members, trails]): Spelling => {
        const texts = members.map(
          ([key, value, a, b, c]) => `${a}${key.text}${b}:${c}${value.text}${a}`,
        )
        const value = {}
        for (const [key, { value: member }] of members)
          Object.defineProperty(value, key.value as string, {
            value: member,
            enumerable: true,
            configurable: true,
            writable: true,
          })
        return { text: `{${texts.join(',')}${trails && members.length > 0 ? ',' : ''}}`, value }
      }),
  }),
)

/** A value and one of the many ways in which JSON5 can write it. */
export const anySpelling: fc.Arbitrary<Spelling> = fc
  .tuple(gap, document, gap)
  .map(([before, { text, value }, after]) => ({ text: before + text + after, value }))

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, '0')
}
