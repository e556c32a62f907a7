import { parentPort, workerData } from 'node:worker_threads'
import { Registry } from '../index.ts'
import { claimLane } from '../workers.ts'

const { lanes, increments } = workerData as { lanes: SharedArrayBuffer; increments: number }
const metrics = new Registry({ store: claimLane(lanes) })
const counter = metrics.counter('work_total', { labels: ['kind'] }).labels({ kind: 'a' })
const histogram = metrics.histogram('size', { buckets: [10, 1000] })
metrics.gauge('busy').set(1)
metrics.gauge('peak', { aggregate: 'max' }).set(increments)
metrics.upDownCounter('open').inc(2)

for (let i = 0; i < increments; i++) counter.inc()
for (let i = 1; i <= 10_000; i++) histogram.observe(i)

// Stays alive until it is told to end, so that its gauges can be seen.
parentPort!.on('message', () => process.exit(0))
parentPort!.postMessage('done')
