import { alwaysOn, ConsoleExporter, Tracer } from '@millrace/tracer'

const tracer = new Tracer({
  service: 'consumer',
  exporter: new ConsoleExporter(),
  sampler: alwaysOn,
})
const sum: number = tracer.span('add', span => {
  span.setAttribute('terms', 2)
  return 1 + 2
})
const traced = tracer.traced((n: number) => n * 2)
await tracer.close()
if (sum !== 3 || traced(2) !== 4) throw new Error('tracer does not work')
