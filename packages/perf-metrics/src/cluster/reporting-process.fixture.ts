import { Registry } from '../index.ts'
import { ClusterSender } from '../workers.ts'

const metrics = new Registry()
const sender = new ClusterSender(metrics, { interval: 60_000 })
const requests = metrics.counter('requests_total', { labels: ['status'] })
const sizes = metrics.histogram('size', { buckets: [10] })
const open = metrics.upDownCounter('open')
const memory = metrics.gauge('memory_bytes')

process.on('message', message => {
  if (message === 'crash') process.kill(process.pid, 'SIGKILL')
  requests.inc({ status: 'ü|200' }, 10)
  for (let i = 1; i <= 20; i++) sizes.observe(i)
  open.inc(3)
  memory.set(100)
  sender.flush()
  process.send!('worked')
})
process.on('disconnect', () => {
  requests.inc({ status: 'late' })
  sender.flush()
  sender.close()
})
process.send!('ready')
