import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import { FsStore } from './fs-store.ts'
import { repeatLastRecord } from './long-journal.fixture.ts'

/**
 * A process that dies while it rotates the journal: when it puts the new file into its place (`linkSync`) or removes the old one
 * (`unlinkSync`), before or after that.
 */
const [folder, call, when] = process.argv.slice(2) as [string, 'linkSync' | 'unlinkSync', string]
let now = Date.now()
let rotating = false
const original = fs[call] as (...args: unknown[]) => unknown
Object.assign(fs, {
  [call]: (...args: unknown[]) => {
    const due = rotating && /journal-\d$/.test(String(args.at(-1)))
    if (due && when === 'before') process.kill(process.pid, 'SIGKILL')
    const result = original(...args)
    if (due) process.kill(process.pid, 'SIGKILL')
    return result
  },
})
syncBuiltinESMExports()

const clock = { now: () => now, setTimer: () => ({ cancel() {} }) }
const store = new FsStore<string>({ folder, clock })
await store.set('kept', 'value', { tags: ['kept'] })
await store.set('tagged', 'value', { tags: ['gone'] })
await store.set('stale', 'value', { tags: ['stale'] })
await store.deleteTag('gone')
await store.expireTag('stale')
await store.deleteTag('often')
await repeatLastRecord(join(folder, 'v3', 'journal-1'))
store.sweep()
await store.set('later', 'value', { tags: ['later'] })
await store.deleteTag('later')
now += 60_000
rotating = true
store.sweep()
console.log('still there')
