import { execFile, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { CacheType, Contender, Results } from './cache-conformance.fixture.ts'

const run = promisify(execFile)
const version = '0.4.5'

let folder: string

/** The suite behind cache-tests.fyi, BSD-3-Clause. Fetched and not installed: it depends on all of npm. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'http-pool-cache-tests-'))
  await run('npm', ['pack', `http-cache-tests@${version}`, '--pack-destination', folder])
  await run('tar', ['xzf', join(folder, `http-cache-tests-${version}.tgz`), '-C', folder])
})

afterAll(() => rm(folder, { recursive: true }))

async function results(contender: Contender, type: CacheType): Promise<Results> {
  const suite = join(folder, 'package')
  const child = fork(
    new URL('./cache-conformance.fixture.ts', import.meta.url),
    [suite, contender, type],
    { execArgv: ['--conditions=millrace-source', '--no-warnings'] },
  )
  const [message] = await once(child, 'message')
  return message as Results
}

/**
 * The published suite asks for a stale response where `Age` is malformed. RFC 9111 section 5.1 says to ignore
 * such a field, and so does the suite's repository since: `age-field.test.ts` has these cases.
 */
const isOutdated = (id: string): boolean => id.startsWith('age-parse-')

const isRefreshed = (id: string): boolean => id.startsWith('304-etag-update-')

const failed = (all: Results): string[] =>
  Object.keys(all).filter(id => all[id] !== true && !isOutdated(id))

test.concurrent.each<CacheType>(['private', 'shared'])(
  'a %s cache fails no case of cache-tests that undici’s own passes, and some fewer',
  async type => {
    const [undici, memory, store] = await Promise.all([
      results('undici', type),
      results('pool', type),
      results('pool with a store', type),
    ])
    expect(Object.keys(undici).length).toBeGreaterThan(250)
    const contenders: [Contender, Results][] = [
      ['pool', memory],
      ['pool with a store', store],
    ]
    for (const [contender, ours] of contenders) {
      expect(Object.keys(ours)).toEqual(Object.keys(undici))
      // Some responses live for a second by dates with a grain of one: on a busy machine they may be stale on
      // arrival. What fails, fails in each of three runs.
      const passed = new Set<string>()
      const worse = () => failed(ours).filter(id => undici[id] === true && !passed.has(id))
      const mended = () => failed(undici).filter(id => passed.has(id) && isRefreshed(id))
      for (let round = 1, all = ours; ; round++) {
        for (const id of Object.keys(all)) if (all[id] === true) passed.add(id)
        if ((worse().length === 0 && mended().length > 5) || round === 3) break
        all = await results(contender, type)
      }
      expect(worse()).toEqual([])
      expect(mended().length).toBeGreaterThan(5)
    }
  },
)
