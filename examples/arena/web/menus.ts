import { element } from './elements.ts'

/** The panels of small screens open and close with a button; a screen that is touched gets stick and button. */
export function showMenus(): void {
  const menu = element('menu', HTMLButtonElement)
  const toggle = (isOpen: boolean): void => {
    document.body.classList.toggle('panels-open', isOpen)
    menu.ariaExpanded = String(isOpen)
  }
  menu.addEventListener('click', () => toggle(menu.ariaExpanded !== 'true'))
  element('arena', HTMLCanvasElement).addEventListener('pointerdown', () => toggle(false))
  addEventListener('keydown', ({ code }) => {
    if (code === 'Escape') toggle(false)
  })
  const isTouched = (): void => document.body.classList.add('touch')
  if (matchMedia('(pointer: coarse)').matches) isTouched()
  addEventListener('pointerdown', ({ pointerType }) => {
    if (pointerType === 'touch') isTouched()
  })
}
