import { renameSync, writeFileSync } from 'node:fs'

/**
 * A writer in another process: rewrites a file in place and by rename, in turn, with contents of one repeated letter, so few that they are
 * read on the caller's thread, and more.
 */
const [path, rounds] = process.argv.slice(2) as [string, string]
for (let i = 0; i < Number(rounds); i++) {
  const content = String.fromCharCode(97 + (i % 26)).repeat(i % 4 < 2 ? 100_000 : 300_000)
  if (i % 2 === 0) writeFileSync(path, content)
  else {
    writeFileSync(`${path}.new`, content)
    renameSync(`${path}.new`, path)
  }
}
writeFileSync(path, 'final')
