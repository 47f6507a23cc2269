import { join, sep } from 'node:path'
import { createReloader, type Reloader } from '@rts/reload'

const HOT_FOLDERS = ['game', 'lobby', 'shared']

/** Makes the logic of the game hot: it can be changed while people play. Call it before that code is loaded. */
export function makeHot(): Reloader {
  const roots = HOT_FOLDERS.map((folder) => join(import.meta.dirname, folder))
  // Nothing of it is loaded yet.
  return createReloader({ roots, detectNative: false })
}

/** A text for people, with files as seen from here. */
export const short = (text: string): string => text.replaceAll(import.meta.dirname + sep, '')
