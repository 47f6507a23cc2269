import { join, sep } from 'node:path'
import { createReloader, type Reloader } from '@rts/reload'

/** What players play: it can be changed while they do. */
export const HOT_FOLDERS: readonly string[] = ['game', 'lobby', 'shared'].map((folder) =>
  join(import.meta.dirname, folder),
)

/** Makes the logic of the game hot: it can be changed while people play. Call it before that code is loaded. */
export function makeHot(): Reloader {
  // Nothing of it is loaded yet.
  return createReloader({ roots: HOT_FOLDERS, detectNative: false })
}

/** A text for people, with files as seen from here. */
export const short = (text: string): string => text.replaceAll(import.meta.dirname + sep, '')
