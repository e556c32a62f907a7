import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FileTable } from '../table/file-table.ts'
import { Watcher } from './watcher.ts'

/** A process that watches more and more folders, and says after each step whether its watch is complete and what it reads. */
const root = realpathSync(mkdtempSync(join(tmpdir(), 'millrace-few-watches-')))
const at = (index: number): string => join(root, `d${index}`, 'f')
const make = (index: number): void => {
  mkdirSync(join(root, `d${index}`))
  writeFileSync(at(index), 'old')
}
for (let index = 0; index < 3; index++) make(index)
const files = new FileTable({ root, clock: { now: () => Date.now() + 10_000 } })
const watcher = new Watcher({ files })

/** Edits every file and reads it twice: each time after what was known of it, if anything, is out of date. */
async function tell(count: number): Promise<void> {
  const outcome = await watcher.settled().then(
    () => 'settled',
    ({ code }) => code,
  )
  const wrong: number[] = []
  for (const text of ['one', 'another', 'last']) {
    for (let index = 0; index < count; index++) {
      files.readSync(at(index))
      writeFileSync(at(index), text)
    }
    // How that ends is told above, by its first call.
    await watcher.settled().catch(() => undefined)
    for (let index = 0; index < count; index++) {
      if (files.readSync(at(index)).bytes.toString() !== text) wrong.push(index)
    }
  }
  console.log(JSON.stringify([outcome, watcher.stats().complete, wrong]))
}

await tell(3)
for (let index = 3; index < 12; index++) make(index)
await tell(12)
// With fewer folders all of them could be watched, once it begins anew.
for (let index = 3; index < 12; index++) rmSync(join(root, `d${index}`), { recursive: true })
await tell(3)
await watcher.close()
rmSync(root, { recursive: true })
