import { readFileSync, realpathSync } from 'node:fs'

/**
 * What is mounted below a folder, as a text that is another one once something was mounted there or unmounted: no event of the folders
 * tells, and their watches stay on what was covered. Empty where the system does not say. O(mounts of the system).
 */
export function mountsBelow(folder: string): string {
  let [mounts, real] = ['', '']
  try {
    mounts = readFileSync('/proc/self/mountinfo', 'utf8')
    real = realpathSync(folder)
  } catch {
    // Not Linux, no /proc, or no such folder: its parent's events, or its own identity, tell of it.
    return ''
  }
  const below = real === '/' ? real : `${real}/`
  return mounts
    .split('\n')
    .filter(mount => pointOf(mount).startsWith(below))
    .join('\n')
}

/** Where a line of mountinfo says that something is mounted; blanks in it are octal (proc_pid_mountinfo(5)). */
function pointOf(mount: string): string {
  const point = mount.split(' ', 5)[4] ?? ''
  return point.replaceAll(/\\([0-7]{3})/g, (_, octal) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  )
}
