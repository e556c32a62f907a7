import { readFileSync, realpathSync } from 'node:fs'

/** All that is mounted, as the system tells it: compared with an earlier text, whether anything was mounted or unmounted. Empty where it does not. */
export function allMounts(): string {
  try {
    return readFileSync('/proc/self/mountinfo', 'utf8')
  } catch {
    // Not Linux, or no /proc.
    return ''
  }
}

/**
 * What is mounted below a folder, as a text that is another one once something was mounted there or unmounted: no event of the folders
 * tells, and their watches stay on what was covered. Empty where the system does not say. O(mounts of the system).
 *
 * @param mounts as {@link allMounts} returned them
 */
export function mountsBelow(folder: string, mounts: string): string {
  let real: string
  try {
    real = realpathSync(folder)
  } catch {
    // No such folder: its parent's events, or its own identity, tell of it.
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
