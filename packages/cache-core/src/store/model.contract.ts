import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Fence, Store } from './store.ts'

/** The whole contract at once: random commands on a store and on a plain map with versions. */
export function modelContract(opened: () => Store<unknown>, numRuns: number): void {
  test('behaves as a plain map with versions, whatever is done in whatever order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(command, { maxLength: 40, size: 'max' }), async commands => {
        const store = opened()
        await store.clear()
        const model = new Model()
        const fences: [Fence, number][] = []
        for (const [what, key, tag] of commands) {
          switch (what) {
            case 'fence':
              fences.push([await store.fence(), model.epoch])
              break
            case 'set':
              await store.set(key, model.write(key, [tag]), { tags: [tag] })
              break
            case 'setFenced': {
              const taken = fences.shift()
              if (taken === undefined) break
              const [fence, epoch] = taken
              const admitted = model.admits(key, [tag], epoch)
              const value = model.next
              const stored = await store.set(key, value, { tags: [tag], fence })
              if (stored && admitted) model.set(key, [tag], epoch)
              if (admitted) break
              // What came too late may be kept as a stale copy, but is not served as good.
              const kept = await store.get(key)
              if (kept?.value === value) expect(kept.expires).toBe(0)
              await store.delete(key)
              model.invalidate(`k:${key}`, 'deleted')
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
          for (const name of ['k0', 'k1', 'k2']) {
            const entry = await store.get(name)
            const found = entry && { value: entry.value, stale: entry.expires === 0 }
            expect(found).toEqual(model.get(name))
          }
        }
      }),
      { numRuns },
    )
  })
}

const command = fc.tuple(
  fc.constantFrom(
    ...(['set', 'set', 'set', 'setFenced', 'setFenced', 'fence', 'fence'] as const),
    ...(['delete', 'expire', 'deleteTag', 'expireTag', 'clear'] as const),
  ),
  fc.constantFrom('k0', 'k1', 'k2'),
  fc.constantFrom('t0', 't1'),
)

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
