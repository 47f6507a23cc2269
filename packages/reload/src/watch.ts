import { type FSWatcher, watch as watchFolder } from 'node:fs'
import { dirname, join } from 'node:path'
import { systemClock, type Clock } from './clock.ts'
import type { Reloader } from './reloader.ts'
import type { ReloadReport } from './report.ts'

export interface WatchOptions {
  /** Quiet time after a change before the reload, in milliseconds, from 0. @defaultValue 30 */
  readonly debounceMs?: number
  /** Told of every reload that this watcher began, unless nothing had changed. */
  readonly onReload?: (report: ReloadReport) => void
  readonly clock?: Clock
}

/**
 * Reloads on save, in development: watches the folders of the hot files that are loaded, and of those that later
 * reloads bring in. Returns the stop.
 */
export function watch(reloader: Reloader, options: WatchOptions = {}): () => void {
  const { debounceMs = 30, onReload, clock = systemClock } = options
  if (!(debounceMs >= 0)) throw new RangeError(`debounceMs must be from 0, not ${debounceMs}`)
  const watchers = new Map<string, FSWatcher>()
  let cancel = (): void => {}
  let isStopped = false

  const reload = async (): Promise<void> => {
    const report = await reloader.incremental()
    if (isStopped) return
    follow()
    if (!report.ok || report.files.length > 0) onReload?.(report)
  }
  const changed = (folder: string, name: string | null): void => {
    if (name === null || reloader.isHot(join(folder, name))) reloadSoon()
  }
  const reloadSoon = (): void => {
    cancel()
    cancel = clock.setTimer(debounceMs, () => void reload())
  }
  const follow = (): void => {
    for (const folder of new Set(reloader.files.map((file) => dirname(file)))) {
      if (watchers.has(folder)) continue
      const watcher = watchFolder(folder, { persistent: false }, (_, name) => changed(folder, name))
      watcher.on('error', () => watcher.close())
      watchers.set(folder, watcher)
      // A file may have been saved after it was loaded and before anybody watched.
      reloadSoon()
    }
  }
  follow()
  // Hot modules that native code loads later bring in folders of their own.
  const forget = reloader.onLoad(follow)
  return () => {
    isStopped = true
    forget()
    cancel()
    for (const watcher of watchers.values()) watcher.close()
  }
}

/** Reloads when the process gets a signal. Returns the undo. */
export function reloadOnSignal(
  reloader: Reloader,
  signal: NodeJS.Signals,
  onReload?: (report: ReloadReport) => void,
): () => void {
  const listener = (): void => {
    void reloader.incremental().then((report) => onReload?.(report))
  }
  process.on(signal, listener)
  return () => void process.off(signal, listener)
}
