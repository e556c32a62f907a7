/** What a span can carry: primitives, bytes, and arrays and plain objects of them. */
export type AttributeValue =
  | string
  | number
  | boolean
  | bigint
  | null
  | undefined
  | Uint8Array
  | readonly AttributeValue[]
  | { readonly [key: string]: AttributeValue }

/**
 * Attributes by name, of {@link AttributeValue}s. Any value may be given, as in `@opentelemetry/api`: entries that are `undefined` are
 * ignored, and what no span can carry, such as a function, is counted as dropped.
 */
export interface Attributes {
  readonly [key: string]: unknown
}

/** A moment: epoch milliseconds, a `performance.now()` reading, a Date, or `[seconds, nanoseconds]`. */
export type TimeInput = number | Date | readonly [seconds: number, nanoseconds: number]

/** The role of a span, with the numbers of `@opentelemetry/api`. */
export const SpanKind = { INTERNAL: 0, SERVER: 1, CLIENT: 2, PRODUCER: 3, CONSUMER: 4 } as const
export type SpanKind = (typeof SpanKind)[keyof typeof SpanKind]

/** How a span ended, with the numbers of `@opentelemetry/api`. */
export const StatusCode = { UNSET: 0, OK: 1, ERROR: 2 } as const
export type StatusCode = (typeof StatusCode)[keyof typeof StatusCode]

export interface SpanStatus {
  readonly code: StatusCode
  readonly message?: string | undefined
}

/** W3C tracestate: immutable, most recent member first. */
export interface TraceState {
  get(key: string): string | undefined
  set(key: string, value: string): TraceState
  unset(key: string): TraceState
  serialize(): string
}

/** The part of a span that travels to other processes; interchangeable with `@opentelemetry/api`'s. */
export interface SpanContext {
  /** 32 lower-case hex digits. */
  traceId: string
  /** 16 lower-case hex digits. */
  spanId: string
  /** W3C trace flags: 1 sampled, 2 random trace id. */
  traceFlags: number
  /** Whether it came from another process. */
  isRemote?: boolean
  traceState?: TraceState
}

/** Any span, of this package or another: what names it is its context. */
export interface SpanLike {
  spanContext(): SpanContext
}

export interface Link {
  readonly context: SpanContext
  readonly attributes?: Attributes | undefined
}

/**
 * One timed operation. Same methods as the Span of `@opentelemetry/api`, and assignable to it. No method throws, whatever it is given,
 * and every method of an ended span does nothing: a span kept too long can never touch another one.
 */
export interface Span {
  /** The identifiers; valid also after the end. */
  spanContext(): SpanContext
  /** Sets or replaces one attribute. O(1). */
  setAttribute(key: string, value: unknown): this
  setAttributes(attributes: Attributes): this
  addEvent(name: string, attributesOrTime?: Attributes | TimeInput, time?: TimeInput): this
  addLink(link: Link): this
  addLinks(links: readonly Link[]): this
  /** `OK` is final; `ERROR` replaces `UNSET`; `UNSET` is ignored. */
  setStatus(status: SpanStatus): this
  updateName(name: string): this
  /** Ends the span. The first call counts. */
  end(time?: TimeInput): void
  /** Whether attributes and events are kept: false for an unsampled or ended span. */
  isRecording(): boolean
  /** Adds an `exception` event. The stack is read at export, not here. */
  recordException(exception: unknown, time?: TimeInput): void
}

export interface SpanOptions {
  /** Role of the span. Default: SpanKind.INTERNAL */
  readonly kind?: SpanKind | undefined
  /** What is known of the operation at its start, also to samplers. Default: none */
  readonly attributes?: Attributes | undefined
  /** Spans of other traces that led to this one. Default: none */
  readonly links?: readonly Link[] | undefined
  /** When the operation began. Default: now */
  readonly startTime?: TimeInput | undefined
  /** Parent to use instead of the active span; `null` starts a new trace. Default: the active span */
  readonly parent?: SpanLike | SpanContext | null | undefined
}

/** The library that made a span; the `scope` of OTLP. */
export interface Scope {
  readonly name: string
  readonly version?: string | undefined
  readonly schemaUrl?: string | undefined
  readonly attributes?: Attributes | undefined
}
