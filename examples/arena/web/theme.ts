/** Colours of the canvas. They are custom properties of the style sheet, so that both always match. */
export interface Theme {
  readonly isDark: boolean
  readonly skyInner: string
  readonly skyOuter: string
  readonly nebula: readonly string[]
  readonly star: string
  readonly grid: string
  readonly text: string
  readonly accent: string
  readonly flame: string
  readonly shot: string
  /** Lightness and chroma of ships. */
  readonly ship: string
}

/** The accent's hue; other ships keep away from it. */
const OWN_HUE = 215
const KEPT_CLEAR = 35
const GOLDEN_ANGLE = 137.508

const dark = matchMedia('(prefers-color-scheme: dark)')
const still = matchMedia('(prefers-reduced-motion: reduce)')

export function readTheme(): Theme {
  const style = getComputedStyle(document.documentElement)
  const read = (name: string): string => style.getPropertyValue(`--${name}`).trim()
  return {
    isDark: dark.matches,
    skyInner: read('sky-inner'),
    skyOuter: read('sky-outer'),
    nebula: [read('nebula-1'), read('nebula-2'), read('nebula-3')],
    star: read('star'),
    grid: read('grid'),
    text: read('text'),
    accent: read('accent'),
    flame: read('flame'),
    shot: read('shot'),
    ship: read('ship'),
  }
}

export function onThemeChange(listener: () => void): void {
  dark.addEventListener('change', listener)
}

export const wantsLessMotion = (): boolean => still.matches

export function onMotionChange(listener: () => void): void {
  still.addEventListener('change', listener)
}

/** A colour for each seat, far from those of the seats beside it. */
export function seatColor(
  theme: Pick<Theme, 'accent' | 'ship'>,
  seat: number,
  isOwn: boolean,
): string {
  if (isOwn) return theme.accent
  const share = ((seat * GOLDEN_ANGLE) % 360) / 360
  const hue = (OWN_HUE + KEPT_CLEAR + share * (360 - 2 * KEPT_CLEAR)) % 360
  return `oklch(${theme.ship} ${hue.toFixed(0)})`
}
