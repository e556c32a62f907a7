import { runs, seededRandom } from '@millrace/testkit'
import { describeRedis } from '@millrace/testkit/vitest'
import { Redis } from 'ioredis'
import { describe, expect, test } from 'vitest'
import type { ShardMark } from '../protocol/answer.ts'
import { APPLY_SOURCE } from '../protocol/apply-source.ts'
import { Script } from '../protocol/script.ts'
import { ShardPast } from '../protocol/shard-past.ts'
import { encodeBody } from '../store/entry-format.ts'
import {
  applyModel,
  type ModelCaller,
  type ModelOperation,
  type ModelResult,
  ModelServer,
} from './model-shard.fixture.ts'
import type { Omissions } from './simulated-redis.fixture.ts'
import { Simulation } from './simulation.fixture.ts'

/** Steps of a schedule. */
const STEPS = 50

describe('the protocol in random schedules', () => {
  test('no value is served that is older than the protocol allows', () => {
    let hits = 0
    let reads = 0
    const count = runs(100_000)
    for (let seed = 0; seed < count; seed++) {
      const simulation = new Simulation(seed)
      try {
        simulation.run(STEPS)
      } catch (error) {
        throw new Error(`With seed ${seed}`, { cause: error })
      }
      hits += simulation.hits
      reads += simulation.reads
    }
    // That it did something.
    expect(hits).toBeGreaterThan(count / 3)
    expect(reads).toBeGreaterThan(count * 5)
  })

  const omissions: readonly (keyof Omissions)[] = [
    'node',
    'incarnation',
    'fence',
    'trail',
    'recovery',
    'past',
    'fork',
  ]
  test.each(omissions)('without %s it is', omitted => {
    const found = () => {
      for (let seed = 0; seed < 20_000; seed++) {
        new Simulation(seed, { [omitted]: true }).run(STEPS)
      }
    }
    expect(found).toThrow('older than')
  })
})

describeRedis('the model of the script', redis => {
  test('does what the script does on a real server', async () => {
    const raw = new Redis(redis.server.port)
    for (let seed = 0; seed < runs(60); seed++) {
      await raw.flushall()
      await compare(raw, seededRandom(seed), seed)
    }
    raw.disconnect()
  })
})

const KEYS = ['a', 'b', 'c']
const TAGS = ['t', 'u']
const BASE = 'sim:{0}'
const script = new Script(APPLY_SOURCE)

/** How far both were after a call. */
interface Pair {
  readonly model: ShardMark
  readonly real: ShardMark
}

/** What both held. */
interface Backup {
  readonly model: ModelServer
  readonly real: readonly { readonly name: string; readonly dump: Buffer }[]
}

async function backUp(raw: Redis, model: ModelServer): Promise<Backup> {
  const names = await raw.keys('*')
  const dumps = await Promise.all(names.map(name => raw.dumpBuffer(name)))
  return {
    model: model.copy(),
    real: names.map((name, index) => ({ name, dump: dumps[index]! })),
  }
}

async function putBack(raw: Redis, { model, real }: Backup, now: number): Promise<ModelServer> {
  const back = raw.multi().flushall()
  for (const { name, dump } of real) back.restore(name, 0, dump)
  await back.exec()
  const copy = model.copy()
  copy.now = now
  return copy
}

/** Replays random calls and losses on both. */
async function compare(raw: Redis, random: () => number, seed: number): Promise<void> {
  let model = new ModelServer()
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)]!
  let fence: Pair | undefined
  let seen: readonly Pair[] = []
  let backup = await backUp(raw, model)
  for (let step = 0; step < 60; step++) {
    const dice = random()
    if (dice < 0.04) {
      model.journal = undefined
      await raw.unlink(BASE)
    } else if (dice < 0.08) {
      model.recent = undefined
      await raw.unlink(`${BASE}!`)
    } else if (dice < 0.11) {
      const key = pick(KEYS)
      model.values.delete(key)
      await raw.unlink(`${BASE}:${key}`)
    } else if (dice < 0.14 && model.journal !== undefined) {
      model.journal.set('#node', 4_711)
      await raw.zadd(BASE, 4_711, '#node')
    } else if (dice < 0.19) backup = await backUp(raw, model)
    else if (dice < 0.24) model = await putBack(raw, backup, model.now)
    const operations = Array.from({ length: 1 + Math.floor(random() * 3) }, () =>
      anOperation(pick, random, fence?.model),
    )
    // More than a call has operations: versions are times, which no other past has had.
    model.now += 10
    const check = pick(['compare', 'begin', ...Array(5).fill(undefined)] as const)
    const told = random() < 0.7 ? seen : []
    const born = 1 + seed * 1_000 + step
    const expected = applyModel(model, operations, {
      born,
      check,
      seen: told.map(pair => pair.model),
    })
    const call = { born, check, seen: told.map(pair => pair.real) }
    const real = (await applyReal(raw, operations, call, fence)) as unknown[]
    const results = real.slice(3).map(readable)
    expect({ step, operations, results }).toEqual({
      step,
      operations,
      results: expected.results.map(sorted),
    })
    expect(real[0]).toBe(expected.incarnation)
    const mark = {
      model: { incarnation: expected.incarnation, epoch: expected.epoch },
      real: { incarnation: real[0] as number, epoch: real[1] as number },
    }
    if (random() < 0.4) fence = mark
    if (random() < 0.4) seen = random() < 0.5 ? [mark] : [...seen, mark].slice(-4)
  }
}

function anOperation(
  pick: <T>(items: readonly T[]) => T,
  random: () => number,
  fence: ShardMark | undefined,
): ModelOperation {
  const key = pick(KEYS)
  const tag = pick(TAGS)
  const payload = Math.floor(random() * 1_000)
  const tags = TAGS.filter(() => random() < 0.5)
  const write = { code: 's', key, payload, tags } as const
  return pick<ModelOperation>([
    { code: 'g', key },
    { code: 'g', key },
    { code: 'a', key },
    { code: 'u', key },
    { ...write, fence, deadline: Infinity },
    { ...write, fence, deadline: Infinity },
    { ...write, deadline: Infinity },
    { ...write, deadline: 0 },
    { code: 'd', key },
    { code: 'x', key },
    { code: 'D', tag },
    { code: 'X', tag },
    { code: 'C' },
    { code: 'E' },
    { code: 'm', since: fence?.epoch ?? 0, incarnation: fence?.incarnation ?? 0 },
  ])
}

function applyReal(
  raw: Redis,
  operations: readonly ModelOperation[],
  { born, check, seen }: ModelCaller,
  fence: Pick<Pair, 'real'> | undefined,
): Promise<unknown> {
  const keys = [BASE, `${BASE}!`]
  const args: (string | number | Buffer)[] = [
    born,
    check === undefined ? '' : check === 'compare' ? '1' : '2',
    's',
    20_000,
    100_000,
    1e6,
    1,
    0,
    new ShardPast(seen).text,
  ]
  for (const operation of operations) {
    args.push(operation.code)
    if ('key' in operation) keys.push(`${BASE}:${operation.key}`)
    if ('tag' in operation) args.push(operation.tag)
    if (operation.code === 'm') args.push(fence?.real.epoch ?? 0, fence?.real.incarnation ?? 0)
    if (operation.code !== 's') continue
    const { key, payload, tags, deadline } = operation
    const real = operation.fence && fence?.real
    const body = encodeBody(key, tags, Buffer.from(`${payload}`), false)
    const ground = real === undefined ? '' : ` ${real.epoch} ${real.incarnation}`
    args.push(body, `1e999 0 ${deadline === Infinity ? '1e999' : deadline}${ground}`)
  }
  return script.run(raw, keys, args)
}

/** What is missed has no order that counts. */
function sorted(result: ModelResult): ModelResult {
  return Array.isArray(result) ? [...result].sort() : result
}

/** A result of the script as the model puts it. */
function readable(result: unknown): unknown {
  if (result === null) return undefined
  // A stale value is a list of its bytes, which begin so; what was missed is a list of names.
  if (Array.isArray(result) && result[0]?.[1] !== 2) return result.map(String).sort()
  const stale = Array.isArray(result)
  const bytes = stale ? result[0] : result
  if (!Buffer.isBuffer(bytes)) return result
  const expired = stale || bytes.readDoubleLE(8) === 0
  const text = bytes.toString('latin1')
  return { payload: Number(/\d+$/.exec(text)?.[0]), stale: expired }
}
