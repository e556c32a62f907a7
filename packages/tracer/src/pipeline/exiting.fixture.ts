/** A service that ends spans and then ends itself in the way its argument says: for tests of the last flush. */
import { registerHooks } from 'node:module'
import { OtlpTraceExporter } from '../otlp/otlp-trace-exporter.ts'
import { Tracer } from '../tracer/tracer.ts'

const COPY = '?copy'

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
  case 'two-copies':
    await endSpansOfCopy()
    setInterval(() => {}, 1_000)
    process.stdout.write('ready')
    break
  case 'exit-in-beforeExit':
    process.exitCode = 3
    break
  case 'late-spans': {
    let begun = false
    process.on('beforeExit', () => {
      if (begun) return
      begun = true
      endSpans(tracer)
      setTimeout(() => endSpans(tracer), 10)
    })
    break
  }
  case 'spans-without-end':
    process.on('beforeExit', () => tracer.startSpan('late').end())
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
  // Only the time-out of the exit ends what waits for a collector that hangs.
  const endless = how === 'endless-attempt' ? { timeout: 1e9, retry: { timeout: 1e9 } } : {}
  const exporter = new OtlpTraceExporter({ url, ...endless })
  return new Tracer({ exporter, exitTimeout: Number(exitTimeout) })
}

function endSpans(of: Tracer): void {
  for (let i = 0; i < 250; i++) of.startSpan(`s${i}`).end()
}

/** Loads this package once more, as programs do whose dependencies have a copy of their own, and ends as many spans with it. */
async function endSpansOfCopy(): Promise<void> {
  registerHooks({
    resolve(specifier, context, next) {
      const found = next(specifier, context)
      const ofCopy = specifier.endsWith(COPY) || context.parentURL?.endsWith(COPY) === true
      if (!ofCopy || !found.url.startsWith('file:') || found.url.endsWith(COPY)) return found
      return { ...found, url: found.url + COPY }
    },
  })
  const copy: typeof import('../index.ts') = await import(`../index.ts${COPY}`)
  const { OtlpTraceExporter: Exporter }: typeof import('../otlp.ts') = await import(
    `../otlp.ts${COPY}`
  )
  if (copy.Tracer === Tracer) throw new Error('It is the same copy')
  const exporter = new Exporter({ url })
  endSpans(new copy.Tracer({ exporter, exitTimeout: Number(exitTimeout) }))
}
