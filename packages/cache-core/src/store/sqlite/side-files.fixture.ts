import { closeSync, openSync, readSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { StoreUnavailableError } from '../contract/errors.ts'
import { SqliteStore } from './sqlite-store.ts'

/** What a process saw until it was told to end. */
export interface SideFilesReport {
  readonly reads: number
  readonly invalidations: number
  /** Calls that rejected, as they may while files come and go. */
  readonly failures: number
  /** What went on being served although its invalidation had been acknowledged to some process. */
  readonly stale: readonly string[]
  /** ms of the longest call. */
  readonly longest: number
}

/** ms within which each process has made a call, on whatever machine. */
const NOTICED = 10_000

/**
 * One of several processes on one SQLite file: writes and invalidates a key of its own, and reads those of the others. Which version of each key was
 * invalidated last stands in a file of numbers beside it.
 */
const [place, own, members] = process.argv.slice(2) as [string, string, string]
const index = Number(own)
const store = new SqliteStore<number>({
  path: join(place, 'files', 'cache.db'),
  busyTimeout: 500,
  onProblem() {},
  // As of a service in the middle of a deployment.
  ...(index === 1 && { maxBytes: 100_000, compression: { algorithm: 'gzip', threshold: 1 } }),
})
const noted = openSync(join(place, 'noted'), 'r+')
const number = new Float64Array(1)
function latest(key: number): number {
  return readSync(noted, number, 0, 8, key * 8) === 8 ? number[0]! : 0
}
function note(version: number): void {
  number[0] = version
  writeSync(noted, number, 0, 8, index * 8)
}

/** When it was told to end, ms. */
let ended: number | undefined
let reads = 0
let invalidations = 0
let failures = 0
let longest = 0
const stale: string[] = []
/** Asked whether it still lives when it has looked at the files. */
let asked = false
process.on('message', async order => {
  if (order === 'end') ended = performance.now()
  else {
    // Longer than what was seen of the files is relied on.
    await sleep(20)
    asked = true
  }
})

async function attempt<T>(call: () => Promise<T>): Promise<T | undefined> {
  const began = performance.now()
  try {
    return await call()
  } catch (error) {
    if (!(error instanceof StoreUnavailableError)) throw error
    failures++
    return undefined
  } finally {
    longest = Math.max(longest, performance.now() - began)
  }
}

const key = `k${index}`
const tag = `t${index}`
const invalidate = [
  () => store.delete(key).then(() => true),
  () => store.deleteTag(tag).then(() => true),
  () => store.clear().then(() => true),
]
/**
 * Whether what is outdated is still served when all others have looked at the files. Who opens them between an older log being put there and
 * that has nothing to tell it by.
 */
async function stays(other: number, before: number): Promise<boolean> {
  const end = performance.now() + NOTICED
  while (performance.now() < end) {
    await sleep(5)
    const again = await attempt(() => store.get(`k${other}`))
    if (again === undefined || again.value > before) return false
  }
  return true
}

/** Not before it has done something, which may take a while on a machine that has stalled it until then. */
function goesOn(): boolean {
  return ended === undefined || (invalidations === 0 && performance.now() < ended + NOTICED)
}

process.send!('ready')
// One that was killed goes on behind the last one.
for (let version = latest(index) + 1; goesOn(); version++) {
  await attempt(() => store.set(key, version, { tags: [tag] }))
  for (let i = 0; i < 3; i++) {
    const other = Math.floor(Math.random() * Number(members))
    const before = latest(other)
    const found = await attempt(() => store.get(`k${other}`))
    reads++
    if (found !== undefined && found.value <= before && (await stays(other, before))) {
      stale.push(`k${other} at ${found.value}, after ${before}`)
    }
  }
  const done = await attempt(invalidate[version % invalidate.length]!)
  if (done) {
    invalidations++
    note(version)
  }
  if (asked) {
    asked = false
    process.send!('lives')
  }
  await nextTurn()
}
await store.close()
closeSync(noted)
process.send!({ reads, invalidations, failures, stale, longest } satisfies SideFilesReport)
process.disconnect()
