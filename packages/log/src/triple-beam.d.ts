declare module 'triple-beam' {
  export const LEVEL: unique symbol
  export const MESSAGE: unique symbol
  export const SPLAT: unique symbol
}
