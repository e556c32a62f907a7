/**
 * The next warning of the process that is the one waited for: Node warns of its own accord, and tests share a process. Call it before
 * what is to warn.
 */
export function nextWarning<W extends Error = Error>(
  isIt: (warning: Partial<W>) => boolean,
): Promise<W> {
  return new Promise(resolve => {
    const listen = (warning: Error): void => {
      if (!isIt(warning as Partial<W>)) return
      process.off('warning', listen)
      resolve(warning as W)
    }
    process.on('warning', listen)
  })
}
