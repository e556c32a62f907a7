import { statfsSync } from 'node:fs'

/** Magic numbers of linux/magic.h: proc, sysfs, cgroup, cgroup2, debugfs, tracefs, securityfs, configfs, bpf, efivarfs. */
const MAGIC: ReadonlySet<number> = new Set([
  0x9fa0, 0x62656572, 0x27e0eb, 0x63677270, 0x64626720, 0x74726163, 0x73636673, 0x62656570,
  0xcafe4a11, 0xde5e81e4,
])

const known = new Map<number, boolean>()

/**
 * Whether a file's content is made up by the kernel when it is read, so that its stamp says nothing about it.
 *
 * @param dev device of the file; asked of the system once per device
 */
export function isPseudo(dev: number, path: string): boolean {
  let pseudo = known.get(dev)
  if (pseudo === undefined) {
    try {
      pseudo = MAGIC.has(statfsSync(path).type)
    } catch {
      // The file went meanwhile; the next one of its device is asked.
      return false
    }
    known.set(dev, pseudo)
  }
  return pseudo
}
