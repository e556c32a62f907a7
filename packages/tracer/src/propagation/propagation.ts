import { activeContext } from '../context/active-context.ts'
import { Baggage } from '../context/baggage.ts'
import type { SpanLike } from '../span/api/span.ts'
import { asTracerSpan } from '../span/idle/as-tracer-span.ts'
import type { IdleSpan } from '../span/idle/idle-span.ts'
import type { TracerSpan } from '../span/tracer-span.ts'
import { B3_MULTI_FIELDS, B3_SINGLE_FIELDS, readB3, writeB3, writeB3Multi } from './b3.ts'
import {
  type HeaderReader,
  type HeaderWriter,
  type IncomingHeaders,
  joined,
  type OutgoingHeaders,
  readerOf,
  single,
  writerOf,
} from './headers.ts'
import { RemoteParent } from './remote-parent.ts'
import { formatTraceparent, parseTraceparent } from './traceparent.ts'

/** Kinds of headers that travel, by the names that OpenTelemetry's `OTEL_PROPAGATORS` has for them. */
export type PropagatorName = 'tracecontext' | 'baggage' | 'b3' | 'b3multi'
export const PROPAGATORS: readonly PropagatorName[] = ['tracecontext', 'baggage', 'b3', 'b3multi']

const DEFAULT: readonly PropagatorName[] = ['tracecontext', 'baggage']

/** The headers of one kind that say which span is the parent. */
interface Format {
  readonly fields: readonly string[]
  read(read: HeaderReader): IdleSpan | undefined
  write(write: HeaderWriter, span: TracerSpan): void
}

const FORMATS: Readonly<Record<Exclude<PropagatorName, 'baggage'>, Format>> = {
  tracecontext: {
    fields: ['traceparent', 'tracestate'],
    read(read) {
      const traceparent = single(read, 'traceparent')
      if (traceparent === undefined) return undefined
      return parseTraceparent(traceparent, joined(read, 'tracestate'))
    },
    write(write, span) {
      write('traceparent', formatTraceparent(span))
      const state = span.trace().state?.serialize()
      if (state !== undefined && state !== '') write('tracestate', state)
    },
  },
  b3: { fields: B3_SINGLE_FIELDS, read: readB3, write: writeB3 },
  b3multi: { fields: B3_MULTI_FIELDS, read: readB3, write: writeB3Multi },
}

/** What is read from incoming headers and written to outgoing ones. */
export class Propagation {
  readonly #formats: readonly Format[]
  readonly #baggage: boolean

  /** @internal */
  constructor(names: readonly PropagatorName[] = DEFAULT) {
    const all = [...new Set(names)]
    this.#formats = all.filter(name => name !== 'baggage').map(name => FORMATS[name])
    this.#baggage = all.includes('baggage')
  }

  /** The headers that may be set. */
  get fields(): string[] {
    const fields = this.#formats.flatMap(format => format.fields)
    return this.#baggage ? [...fields, 'baggage'] : fields
  }

  /**
   * The parent that headers name: where several kinds of them are read, the last one that is valid. Never throws: what is malformed
   * or cannot be read counts as absent.
   */
  extract(headers: IncomingHeaders): RemoteParent {
    return this.read(readerOf(headers))
  }

  /** Writes the headers that make `span` (default: the active one) the parent of what the receiver does. Never throws. */
  inject(headers: OutgoingHeaders, span?: SpanLike): void {
    // As OpenTelemetry's propagators do without a carrier, and where nothing is traced.
    if (headers === undefined || headers === null) return
    const { span: active, baggage, suppressed } = activeContext()
    if (span === undefined && suppressed) return
    this.write(writerOf(headers), span === undefined ? active : asTracerSpan(span), baggage)
  }

  /** @internal */
  read(read: HeaderReader): RemoteParent {
    let span: IdleSpan | null = null
    for (const format of this.#formats) span = format.read(read) ?? span
    const baggage = this.#baggage ? joined(read, 'baggage') : undefined
    return new RemoteParent(span, baggage === undefined ? null : Baggage.parse(baggage))
  }

  /** @internal */
  write(write: HeaderWriter, span: TracerSpan | null, baggage: Baggage | null): void {
    if (span !== null) {
      for (const format of this.#formats) attempt(() => format.write(write, span))
    }
    if (!this.#baggage || baggage === null) return
    attempt(() => {
      const header = baggage.serialize()
      if (header !== '') write('baggage', header)
    })
  }
}

/** Headers that cannot be set, because they are frozen or were sent: the message goes without them, and must not fail for it. */
function attempt(write: () => void): void {
  try {
    write()
  } catch {
    // Nothing of the program's own is lost: see above.
  }
}
