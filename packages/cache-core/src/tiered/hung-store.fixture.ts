import { KeyvStore } from '../keyv/keyv-store.ts'
import { MemoryStore } from '../store/memory/memory-store.ts'
import { LayeredStore } from './layered/layered-store.ts'
import { TieredCache } from './tiered-cache.ts'

/** A process that has nothing to do but to await stores that never answer. */
const never = (): Promise<never> => new Promise(() => {})
const hung = Object.assign(new MemoryStore<number>(), { set: never })
const adapter = { get: never, set: never, delete: never, clear: never }
const calls = [
  () => new TieredCache({ store: hung, storeTimeout: 20 }).set('k', 1),
  () => new LayeredStore({ near: new MemoryStore(), far: hung, farTimeout: 20 }).set('k', 1),
  () => new KeyvStore(adapter, { timeout: 20 }).get('k'),
]
for (const call of calls) {
  console.log(await call().catch((error: { code: string }) => error.code))
}
