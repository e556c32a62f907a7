import { execFile } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { RedisServer } from '@millrace/testkit'
import { describeRedis } from '@millrace/testkit/vitest'
import { expect, test } from 'vitest'

const ROUNDS = 8

interface Outcome {
  readonly name: string
  readonly error?: string
}

describeRedis("bottleneck's own tests, through our connection object", redis => {
  async function run(
    connection: 'plain' | 'ours',
    name?: string,
    server = redis.server,
  ): Promise<Outcome[]> {
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
          REDIS_HOST: server.host,
          REDIS_PORT: `${server.port}`,
        },
      },
    )
    return stdout
      .split('\n')
      .filter(line => line.startsWith('@ '))
      .map(line => JSON.parse(line.slice(2)) as Outcome)
  }

  const failuresOf = (outcomes: Outcome[]) => outcomes.filter(({ error }) => error !== undefined)

  /** Of a bound in ms that the suite checks on the wall clock: it speaks of the machine, not of the connection. */
  const measuresTime = ({ error }: Outcome) =>
    error!.includes('checkDuration') || /results\.\w+ - results\.\w+/.test(error!)

  /** Plain bottleneck passes it, or fails it only for Redis 7. */
  const isFair = ({ error }: Outcome) => error === undefined || error.includes('ERR ')

  /**
   * Runs one test alone until it passes or breaks but a bound of time, at most {@link ROUNDS} times. What plain bottleneck, in turns with
   * ours, fails every other time as well says nothing about the connection.
   */
  async function settle(name: string): Promise<Outcome | undefined> {
    let last: Outcome | undefined
    let fair = 0
    for (let round = 0; round < ROUNDS; round++) {
      last = (await run('ours', name))[0]!
      if (last.error === undefined || measuresTime(last)) return undefined
      if (isFair((await run('plain', name))[0]!)) fair++
    }
    return fair > ROUNDS / 2 ? last : undefined
  }

  test('all pass that plain bottleneck passes, and those that it fails on Redis 7', async () => {
    // Beside each other, as both sleep most of the time; the suite empties its server.
    await using other = await RedisServer.start()
    const [plain, ours] = await Promise.all([run('plain', undefined, other), run('ours')])
    expect(ours.length).toBeGreaterThan(125)
    expect(ours.map(({ name }) => name)).toEqual(plain.map(({ name }) => name))
    const mended = failuresOf(plain).filter(({ error }) => error!.includes('ERR '))
    expect(mended.length).toBeGreaterThan(0)

    const failed: Outcome[] = []
    for (const { name } of failuresOf(ours)) {
      const outcome = await settle(name)
      if (outcome) failed.push(outcome)
    }
    expect(failed, JSON.stringify(failed)).toEqual([])
  }, 300_000)
})
