import { RedisBus, RedisLease, RedisStore, RedisTracking } from '@millrace/cache-redis'
import type { RedisServer } from '@millrace/testkit'
import { storeSubject } from './caches.fixture.ts'
import type { Subject } from './walk.fixture.ts'

const listener = { onInvalidations: () => undefined, onGap: () => undefined }

/** The classes of cache-redis on a real server, which is killed in the end. */
export function redisSubjects({ url }: RedisServer): Record<string, Subject> {
  // A machine that stands still for seconds is no outage.
  const at = { url, prefix: 'stats', timeout: 60_000 }
  const store = new RedisStore<string>(at)
  const bus = new RedisBus(at)
  const tracking = new RedisTracking(at)
  const lease = new RedisLease(at)
  let stopListening = (): void => undefined
  let stopTracking = (): void => undefined
  const values = storeSubject(store)
  return {
    RedisStore: { ...values, steps: [...values.steps, () => store.close()] },
    RedisBus: {
      source: bus,
      steps: [
        () => {
          stopListening = bus.subscribe(listener)
        },
        () => bus.ready(),
        () => bus.publish([{ verb: 'delete', target: 'key', name: 'a' }]),
        () => stopListening(),
        () => bus.close(),
      ],
    },
    RedisTracking: {
      source: tracking,
      steps: [
        () => {
          stopTracking = tracking.subscribe(listener)
        },
        () => tracking.ready(),
        () => tracking.publish([{ verb: 'delete', target: 'tag', name: 't' }]),
        () => stopTracking(),
        () => tracking.close(),
      ],
    },
    RedisLease: {
      source: lease,
      steps: [
        async () => {
          const hold = await lease.acquire('a')
          await hold?.release()
        },
        () => lease.close(),
      ],
    },
  }
}
