import assert from 'node:assert/strict'
import type { Loop, Prepare } from '../../../define.ts'
import type { BenchSpan, BenchTracer, Output, TracerLibrary } from '../contenders/tracers.ts'

/** Spans per run; few enough that their bytes are soon done with, as if they had been sent. */
const SPANS = 2_000
/** Of spans that take nanoseconds, so that a run is long enough for the compiler to replace its loop while it runs. */
const UNSAMPLED = 50_000

/** Spans before the first measurement, for both sides: a service runs for days, and until a busy machine has compiled them takes seconds. */
const WARM_UP = 300_000

/** One span of a workload. */
type Work = (tracer: BenchTracer, i: number) => void

/** A loop over spans; its result is what arrived of one run. */
export function spans(
  library: TracerLibrary,
  work: Work,
  output: Output = 'bytes',
  sampled = true,
): Prepare<number> {
  return async () => {
    const tracer = await library.tracer(output, sampled)
    const operations = sampled ? SPANS : UNSAMPLED
    return warm({
      operations,
      run() {
        for (let i = 0; i < operations; i++) work(tracer, i)
        return tracer.arrived()
      },
    })
  }
}

async function warm(loop: Loop<number>): Promise<Loop<number>> {
  for (let done = 0; done < WARM_UP; done += loop.operations) {
    loop.run()
    // Compiled code is put in place between turns.
    await new Promise(resolve => setImmediate(resolve))
  }
  return loop
}

export function checkArrived(arrived: number): void {
  assert.equal(arrived, SPANS)
}

export function checkNone(arrived: number): void {
  assert.equal(arrived, 0)
}

/** Start and end, nothing else. */
export const bare: Work = tracer => {
  tracer.startSpan('operation').end()
}

const ROUTES = Array.from({ length: 20 }, (_, i) => `/api/v1/resource-${i}/:id`)
const METHODS = ['GET', 'POST', 'PUT', 'DELETE']

/** What a request handler would set: repeated strings, a number of few values, a duration. */
export const five: Work = (tracer, i) => {
  const span = tracer.startSpan('GET /api')
  span.setAttribute('http.request.method', METHODS[i & 3]!)
  span.setAttribute('http.route', ROUTES[i % 20]!)
  span.setAttribute('http.response.status_code', i % 50 === 0 ? 500 : 200)
  span.setAttribute('server.address', 'api.example.com')
  span.setAttribute('app.cost', i * 0.37)
  span.end()
}

/** Ten keys and values of 20 characters, as OpenTelemetry's performance benchmark specification has them. */
const KEYS = Array.from({ length: 10 }, (_, i) => `attribute.number.00${i}`)
const VALUES = Array.from({ length: 10 }, (_, i) => `value-of-attribute-${i}`)

export const specification: Work = tracer => fillBySpecification(tracer.startSpan(NAME))

const NAME = 'benchmark-span-name'

/** Gives a span its ten attributes and ends it. */
export function fillBySpecification(span: BenchSpan): void {
  for (let i = 0; i < 10; i++) span.setAttribute(KEYS[i]!, VALUES[i]!)
  span.end()
}

/** The same with values that never come twice within 4,096 spans: the worst case for caches of values. */
const UNIQUE = Array.from(
  { length: 40_960 },
  (_, i) => `value-${String(i * 7919).padStart(14, '0')}`,
)

export const unique: Work = (tracer, i) => {
  const span = tracer.startSpan(NAME)
  const base = (i & 4095) * 10
  for (let n = 0; n < 10; n++) span.setAttribute(KEYS[n]!, UNIQUE[base + n]!)
  span.end()
}

/** A function call as a span. */
export function wrapped(library: TracerLibrary): Prepare<number> {
  return async () => {
    const tracer = await library.tracer('discard')
    const fn = tracer.wrap(value => value + 1)
    return warm({
      operations: SPANS,
      run() {
        let sum = 0
        for (let i = 0; i < SPANS; i++) sum += fn(i)
        assert.equal(sum, (SPANS * (SPANS + 1)) / 2)
        return tracer.arrived()
      },
    })
  }
}

/** The least that a timed call costs: the function, and the time before and after it. */
export const twoReadings: Prepare<number> = async () => {
  const { epochClock } = await import('@millrace/tracer')
  const fn = (value: number): number => value + 1
  return warm({
    operations: SPANS,
    run() {
      let sum = 0
      let time = 0
      for (let i = 0; i < SPANS; i++) {
        const start = epochClock.now()
        sum += fn(i)
        time += epochClock.now() - start
      }
      assert.equal(sum, (SPANS * (SPANS + 1)) / 2)
      assert.ok(time > 0)
      return SPANS
    },
  })
}

/** A callback in an active span. */
export const active: Work = (tracer, i) => {
  tracer.active('operation', () => i)
}
