/** Sets the time zone of this process; returns the undo. */
export function inZone(zone: string): () => void {
  const before = process.env['TZ']
  process.env['TZ'] = zone
  return () => {
    if (before === undefined) delete process.env['TZ']
    else process.env['TZ'] = before
  }
}
