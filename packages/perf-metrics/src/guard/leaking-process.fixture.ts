/**
 * A service of an hour in a few seconds: the heap is the real one of this process, with the real saw teeth of its
 * garbage collector; only the clock is pushed along. `leaking` keeps 20 kB per second that it should let go.
 */
import { VirtualClock } from '@millrace/testkit'
import { collectRuntime } from '../collect.ts'
import { Guard } from '../guard.ts'
import { Registry } from '../index.ts'

/** Seconds at a time. */
const STEP = 10
/** ms between two collections. */
const COLLECTED = 60_000

const leaking = process.argv[2] === 'leaking'
const clock = new VirtualClock(1_700_000_000_000)
const metrics = new Registry({ clock })
const runtime = collectRuntime(metrics)

const cache = new Map<number, string>()
const forgotten: string[] = []
let requests = 0

/** Text that is its own memory. */
function text(length: number): string {
  return Buffer.alloc(length, `${requests}`).toString('latin1')
}

/** Some seconds of work: much garbage, a bounded cache that is always renewed, and perhaps a leak. */
async function step(): Promise<void> {
  for (let i = 0; i < 20; i++) {
    requests++
    const answer = Array.from({ length: 100 }, (_, k) => ({ id: requests, k }))
    cache.set(requests % 2000, text(1000 + (answer.length % 7)))
  }
  if (leaking) forgotten.push(text(20_000 * STEP))
  clock.advance(STEP * 1000)
  // V8 goes by the time that has really passed: in a busy service it would collect about as often.
  if (clock.now() % COLLECTED === 0) globalThis.gc!()
  // Collections are reported on a later turn of the loop.
  await new Promise(resolve => setImmediate(resolve))
}

// A new process grows until its code is compiled and its caches and windows are full: no guard of leaks should look at that.
for (let second = 0; second < 1800; second += STEP) await step()
const trips: number[] = []
const guard = new Guard(metrics, {
  clock,
  rules: [
    {
      name: 'Leak',
      type: 'leak',
      metric: 'nodejs_heap_size_after_gc_bytes',
      window: 900_000,
      // A heap this small wanders by a tenth in an hour: say how much is too much.
      growthPerHour: 10e6,
    },
  ],
  onTrip: ({ value }) => {
    trips.push(value)
  },
})
for (let second = 0; second < 3000; second += STEP) await step()
guard.close()
runtime.close()
console.log(JSON.stringify({ trips, kept: forgotten.length }))
