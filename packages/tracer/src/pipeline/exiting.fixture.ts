/** A service that ends spans and then ends itself in the way its argument says: for tests of the last flush. */
import { OtlpTraceExporter } from '../otlp/otlp-trace-exporter.ts'
import { Tracer } from '../tracer/tracer.ts'

const [url, how, exitTimeout = '3000'] = process.argv.slice(2) as [string, string, string?]
const tracer = makeTracer()
endSpans(tracer)

switch (how) {
  case 'signal':
    setInterval(() => {}, 1_000)
    process.stdout.write('ready')
    break
  case 'own-handler':
    setInterval(() => {}, 1_000)
    process.on('SIGTERM', () => {
      void tracer.close().then(() => process.exit(7))
    })
    process.stdout.write('ready')
    break
  case 'own-handler-once':
    setInterval(() => {}, 1_000)
    // A graceful end takes longer than a flush does, also on a machine that stands still: the requests under way go on.
    process.once('SIGTERM', () => setTimeout(() => process.exit(7), 5_000))
    process.stdout.write('ready')
    break
  case 'counts-signals': {
    let signals = 0
    process.on('SIGTERM', () => {
      if (++signals === 4) process.exit(7)
      process.stdout.write(String(signals))
    })
    setInterval(() => {}, 1_000)
    process.stdout.write('ready')
    break
  }
  case 'exit-in-beforeExit':
    process.exitCode = 3
    break
  case 'forgotten':
    endSpans(makeTracer())
    // Longer than it is looked after without being asked for.
    for (let pass = 0; pass < 30; pass++) {
      await new Promise(resolve => setTimeout(resolve, 100))
      globalThis.gc!()
    }
    process.stdout.write('collected')
    break
  default:
}

function makeTracer(): Tracer {
  return new Tracer({ exporter: new OtlpTraceExporter({ url }), exitTimeout: Number(exitTimeout) })
}

function endSpans(of: Tracer): void {
  for (let i = 0; i < 250; i++) of.startSpan(`s${i}`).end()
}
