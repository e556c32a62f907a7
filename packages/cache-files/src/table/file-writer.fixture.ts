import { existsSync, renameSync, writeFileSync } from 'node:fs'

/**
 * A writer in another process: rewrites a file in place and by rename, in turn, with contents of one repeated letter, so few that they are
 * read on the caller's thread, and more. It goes on, within bounds, until there is a file that says that the reader has seen some of them.
 */
const [path, rounds, seen] = process.argv.slice(2) as [string, string, string]
for (let i = 0; i < Number(rounds) || (i < 100 * Number(rounds) && !existsSync(seen)); i++) {
  const content = String.fromCharCode(97 + (i % 26)).repeat(i % 4 < 2 ? 100_000 : 300_000)
  if (i % 2 === 0) writeFileSync(path, content)
  else {
    writeFileSync(`${path}.new`, content)
    renameSync(`${path}.new`, path)
  }
}
writeFileSync(path, 'final')
