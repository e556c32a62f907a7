import { nextWarning, VirtualClock } from '@millrace/testkit'
import { expect, test } from 'vitest'
import type { ListenerError } from '../../errors.ts'
import { MemoryStore } from '../../store/memory/memory-store.ts'
import { LayeredStore } from '../layered/layered-store.ts'
import { TieredCache } from '../tiered-cache.ts'
import type { BusListener, Invalidation, InvalidationBus } from './invalidation-bus.ts'

/** A bus of which the test says what it delivers. */
class OddBus implements InvalidationBus {
  deliver: (invalidations: never) => void = () => {}

  async publish(): Promise<void> {}

  subscribe(listener: BusListener): () => void {
    this.deliver = invalidations => listener.onInvalidations(invalidations)
    return () => {}
  }
}

const good: Invalidation = { verb: 'delete', target: 'key', name: 'named' }
const deliveries: [string, unknown][] = [
  ['nothing', undefined],
  ['no list', 7],
  ['a list of nothing', [null, undefined]],
  ['texts', ['named']],
  ['another verb', [good, { ...good, verb: 'destroy' }]],
  ['another target', [{ ...good, target: 'constructor' }, good]],
  ['no name', [good, { verb: 'delete', target: 'key' }]],
  ['a name that is no text', [good, { ...good, target: 'pattern', name: 5 }]],
]

test.each(deliveries)(
  'a bus that delivers %s is told nothing; what is held is read anew',
  async (_, delivered) => {
    const bus = new OddBus()
    const store = new MemoryStore<number>()
    const cache = new TieredCache<number>({ store, bus, clock: new VirtualClock() })
    await cache.set('named', 1)
    await cache.set('other', 1)
    await store.set('other', 2)
    const warned = nextWarning<ListenerError>(({ listener }) => listener === 'onInvalidations')
    bus.deliver(delivered as never)
    expect(await warned).toMatchObject({
      code: 'ERR_MILLRACE_LISTENER',
      cause: { name: 'TypeError' },
    })
    expect(cache.stats()).toMatchObject({ gaps: 1 })
    expect(await cache.get('other')).toBe(2)
    bus.deliver([good] as never)
    expect(cache.stats()).toMatchObject({ gaps: 1 })
    await cache.close()
  },
)

test.each(deliveries)(
  'a bus that delivers %s empties the nearer of two stores',
  async (_, delivered) => {
    const bus = new OddBus()
    const [near, far] = [new MemoryStore<number>(), new MemoryStore<number>()]
    const layered = new LayeredStore<number>({ near, far, bus, clock: new VirtualClock() })
    await near.set('other', 1)
    await far.set('other', 2)
    expect((await layered.get('other'))?.value).toBe(1)
    const warned = nextWarning<ListenerError>(({ listener }) => listener === 'onInvalidations')
    bus.deliver(delivered as never)
    await warned
    expect((await layered.get('other'))?.value).toBe(2)
    await layered.close()
  },
)
