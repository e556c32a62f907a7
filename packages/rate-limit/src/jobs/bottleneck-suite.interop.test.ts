import { execFile } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { describeRedis } from '@millrace/testkit/vitest'
import { expect, test } from 'vitest'

interface Outcome {
  readonly name: string
  readonly error?: string
}

describeRedis("bottleneck's own tests, through our connection object", redis => {
  async function run(connection: 'plain' | 'ours', name?: string): Promise<Outcome[]> {
    const fixture = join(import.meta.dirname, 'bottleneck-suite.fixture.ts')
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--conditions=millrace-source', fixture, connection, ...(name === undefined ? [] : [name])],
      {
        maxBuffer: 1e8,
        // Some tests start programs of their own from there.
        cwd: dirname(createRequire(import.meta.url).resolve('bottleneck/package.json')),
        env: {
          ...process.env,
          DATASTORE: 'ioredis',
          REDIS_HOST: redis.server.host,
          REDIS_PORT: `${redis.server.port}`,
        },
      },
    )
    return stdout
      .split('\n')
      .filter(line => line.startsWith('@ '))
      .map(line => JSON.parse(line.slice(2)) as Outcome)
  }

  const failuresOf = (outcomes: Outcome[]) => outcomes.filter(({ error }) => error !== undefined)

  /** Whether a test passes alone in one of eight runs: many measure times to some ten ms, which a busy machine misses. */
  async function passesAlone(connection: 'plain' | 'ours', name: string): Promise<Outcome> {
    for (let round = 1; ; round++) {
      const outcome = (await run(connection, name))[0]!
      if (outcome.error === undefined || round === 8) return outcome
    }
  }

  test('all pass that plain bottleneck passes, and those that it fails on Redis 7', async () => {
    const plain = await run('plain')
    const ours = await run('ours')
    expect(ours.length).toBeGreaterThan(125)
    expect(ours.map(({ name }) => name)).toEqual(plain.map(({ name }) => name))
    const mended = failuresOf(plain).filter(({ error }) => error!.includes('ERR '))
    expect(mended.length).toBeGreaterThan(0)

    const failed: Outcome[] = []
    for (const { name } of failuresOf(ours)) {
      const outcome = await passesAlone('ours', name)
      if (outcome.error === undefined) continue
      // What plain bottleneck cannot do in time on this machine either says nothing about the connection.
      const late = outcome.error.includes('checkDuration')
      if (late && (await passesAlone('plain', name)).error?.includes('checkDuration')) continue
      failed.push(outcome)
    }
    expect(failed).toEqual([])
  }, 300_000)
})
