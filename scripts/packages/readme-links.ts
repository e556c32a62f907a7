import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Links of the packed README lead to files of the tarball, headings of its own, or another site. */
export function linksHold(folder: string): boolean {
  const readme = readFileSync(join(folder, 'README.md'), 'utf8')
  const headings = new Set(
    [...readme.matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
      heading!
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  )
  const dead = [...readme.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target]) => target!)
    .filter(target => {
      if (/^(https?|mailto):/.test(target)) return false
      if (target.startsWith('#')) return !headings.has(target.slice(1))
      return !existsSync(join(folder, target.split('#')[0]!))
    })
  for (const target of dead) console.error(`README.md: dead link ${target}`)
  return dead.length === 0
}
