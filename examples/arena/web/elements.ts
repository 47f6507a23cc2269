/** The element of that id in index.html. @throws Error when the page has none, or one of another kind. */
export function element<T extends Element>(id: string, kind: abstract new () => T): T {
  const found = document.getElementById(id)
  if (found instanceof kind) return found
  throw new Error(`the page has no ${kind.name} "${id}"`)
}

/** A new element with text or children in it. */
export function make(
  tag: string,
  className: string,
  ...children: readonly (Node | string)[]
): HTMLElement {
  const made = document.createElement(tag)
  if (className !== '') made.className = className
  made.append(...children)
  return made
}

/** Sets text only when it differs, so that nothing is laid out or read out anew without need. */
export function setText(target: Element, text: string): void {
  if (target.textContent !== text) target.textContent = text
}
