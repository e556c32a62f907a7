import { deepEqual, equal } from 'node:assert/strict'
import type { Fence, Store } from '../store.ts'
import type { StoreSuite } from './store-suite.ts'

const KEYS = ['k0', 'k1', 'k2'] as const
const TAGS = ['t0', 't1'] as const
const VERBS = [
  ...(['set', 'set', 'set', 'setFenced', 'setFenced', 'fence', 'fence'] as const),
  ...(['delete', 'expire', 'deleteTag', 'expireTag', 'clear'] as const),
]
const COMMANDS_PER_RUN = 40

/** The whole contract at once: random commands on a store and on a plain map with versions. */
export function modelTests(suite: StoreSuite, runs: number): void {
  suite.test(
    'behaves as a plain map with versions, whatever is done in whatever order',
    async store => {
      for (let seed = 1; seed <= runs; seed++) {
        const random = randomSource(seed)
        const pick = <T>(from: readonly T[]): T => from[random() % from.length]!
        const commands = Array.from(
          { length: COMMANDS_PER_RUN },
          (): Command => [pick(VERBS), pick(KEYS), pick(TAGS)],
        )
        try {
          await run(store, commands)
        } catch (error) {
          const script = commands.map(command => command.join(' ')).join(', ')
          throw new Error(`The store and the model differ in: ${script}`, { cause: error })
        }
      }
    },
  )
}

type Command = readonly [(typeof VERBS)[number], string, string]

async function run(store: Store<unknown>, commands: readonly Command[]): Promise<void> {
  await store.clear()
  const model = new Model()
  const fences: [Fence, number][] = []
  for (const [verb, key, tag] of commands) {
    switch (verb) {
      case 'fence':
        fences.push([await store.fence(), model.epoch])
        break
      case 'set':
        equal(await store.set(key, model.write(key, [tag]), { tags: [tag] }), true)
        break
      case 'setFenced': {
        const taken = fences.shift()
        if (taken !== undefined) await setFenced(store, model, key, tag, taken)
        break
      }
      case 'delete':
        await store.delete(key)
        model.invalidate(`k:${key}`, 'deleted')
        break
      case 'expire':
        await store.expire(key)
        model.invalidate(`k:${key}`, 'expired')
        break
      case 'deleteTag':
        await store.deleteTag(tag)
        model.invalidate(`t:${tag}`, 'deleted')
        break
      case 'expireTag':
        await store.expireTag(tag)
        model.invalidate(`t:${tag}`, 'expired')
        break
      case 'clear':
        await store.clear({ expire: tag === 't0' })
        model.invalidate('all', tag === 't0' ? 'expired' : 'deleted')
    }
    for (const name of KEYS) {
      const entry = await store.get(name)
      deepEqual(entry && { value: entry.value, stale: entry.expires === 0 }, model.get(name))
    }
  }
}

async function setFenced(
  store: Store<unknown>,
  model: Model,
  key: string,
  tag: string,
  [fence, epoch]: [Fence, number],
): Promise<void> {
  const admitted = model.admits(key, [tag], epoch)
  const value = model.next
  const stored = await store.set(key, value, { tags: [tag], fence })
  if (stored && admitted) model.set(key, [tag], epoch)
  if (admitted) return
  // What came too late may be kept as a stale copy, but is not served as good.
  const kept = await store.get(key)
  if (kept?.value === value) equal(kept.expires, 0)
  await store.delete(key)
  model.invalidate(`k:${key}`, 'deleted')
}

/** Mulberry32 (Tommy Ettinger): the same commands for the same seed, whichever runner has the tests. */
function randomSource(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return (mixed ^ (mixed >>> 14)) >>> 0
  }
}

/** The sequential specification. */
class Model {
  epoch = 0
  next = 0
  readonly values = new Map<string, { value: number; tags: string[]; version: number }>()
  readonly #deleted = new Map<string, number>()
  readonly #expired = new Map<string, number>()

  set(key: string, tags: string[], version: number): number {
    const value = this.next++
    this.values.set(key, { value, tags, version })
    return value
  }

  /** A `set` without a fence. */
  write(key: string, tags: string[]): number {
    this.invalidate(`k:${key}`, 'deleted')
    return this.set(key, tags, this.epoch)
  }

  admits(key: string, tags: string[], epoch: number): boolean {
    const present = this.get(key) === undefined ? undefined : this.values.get(key)
    if (present !== undefined && present.version > epoch) return false
    return names(key, tags).every(
      name => Math.max(this.#deleted.get(name) ?? 0, this.#expired.get(name) ?? 0) <= epoch,
    )
  }

  invalidate(name: string, how: 'deleted' | 'expired'): void {
    ;(how === 'deleted' ? this.#deleted : this.#expired).set(name, ++this.epoch)
  }

  get(key: string): { value: number; stale: boolean } | undefined {
    const held = this.values.get(key)
    if (held === undefined) return undefined
    const after = (versions: Map<string, number>) =>
      names(key, held.tags).some(name => (versions.get(name) ?? 0) > held.version)
    if (after(this.#deleted)) return undefined
    return { value: held.value, stale: after(this.#expired) }
  }
}

const names = (key: string, tags: string[]) => ['all', `k:${key}`, ...tags.map(tag => `t:${tag}`)]
