import { Registry } from '@millrace/perf-metrics'

const metrics = new Registry()
const requests = metrics.counter('http_requests_total', { help: 'Requests', labels: ['status'] })
requests.labels({ status: '200' }).inc()
const depth = metrics.gauge('queue_depth')
depth.set(3)
const answer: number = metrics.timing('work_seconds').time(() => 42)
const text: string = metrics.toPrometheus()
if (answer !== 42 || !text.includes('http_requests_total{status="200"} 1')) throw new Error(text)
console.log(text.split('\n').length)
