import { parentPort, workerData } from 'node:worker_threads'
import { Registry } from '../index.ts'
import { claimLane } from '../workers.ts'

const metrics = new Registry({ store: claimLane(workerData as SharedArrayBuffer) })
const histogram = metrics.histogram('h')
const counter = metrics.counter('c_total')

// Until it is terminated, with new series whose values spread, so that it is mostly in the middle of a change.
for (let i = 0; ; i++) {
  if (i === 300) parentPort!.postMessage('under way')
  histogram.observe(1.03 ** (i % 1500))
  counter.inc()
  metrics.histogram(`spreading_${i % 300}`).observe(1.03 ** (i % 1500))
}
