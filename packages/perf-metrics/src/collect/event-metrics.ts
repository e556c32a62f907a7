import type { EventEmitter } from 'node:events'
import {
  checkInteger,
  checkMethods,
  checkText,
  isThenable,
  type OptionRules,
  resolveOptions,
  withDefault,
} from '@millrace/kit'
import type { CounterFamily, TimingFamily } from '../instrument/labelled.ts'
import { type Registration, registration } from '../registry/registration.ts'
import type { Registry } from '../registry/registry.ts'

/** What a handler returns for an event it knows but leaves alone. */
export const IGNORED: unique symbol = Symbol('event ignored')
/** What a handler returns for an event of a type it does not know. */
export const UNHANDLED: unique symbol = Symbol('event unhandled')

export interface EventMetricsOptions {
  /** What the names of the metrics begin with. Default: `events` */
  readonly prefix?: string | undefined
  /** Most event types to tell apart; the rest are counted together. Default: 200 */
  readonly maxTypes?: number | undefined
}

const OPTIONS: OptionRules<EventMetricsOptions> = {
  prefix: withDefault('events', checkText),
  maxTypes: withDefault(200, checkInteger, 1, 1_000_000),
}

/**
 * The metrics of an event server, by event type: received, processed, ignored, unhandled, errors, duration. Events come
 * from a dispatcher (`handle`) or an emitter (`instrument`).
 */
export class EventMetrics {
  readonly #received: CounterFamily<'type'>
  readonly #processed: CounterFamily<'type'>
  readonly #ignored: CounterFamily<'type'>
  readonly #unhandled: CounterFamily<'type'>
  readonly #duration: TimingFamily<'type'>

  /** @throws InvalidOptionError */
  constructor(metrics: Registry, options: EventMetricsOptions = {}) {
    checkMethods('registry', metrics, 'a Registry', ['counter', 'timing'])
    const { prefix, maxTypes } = resolveOptions('', options, OPTIONS)
    const counter = (what: string, help: string): CounterFamily<'type'> =>
      metrics.counter(`${prefix}_${what}_total`, { help, labels: ['type'], maxSeries: maxTypes })
    this.#received = counter('received', 'Events that arrived')
    this.#processed = counter('processed', 'Events that a handler took care of')
    this.#ignored = counter('ignored', 'Events that their handler left alone')
    this.#unhandled = counter('unhandled', 'Events that no handler knows')
    this.#duration = metrics.timing(`${prefix}_processing_seconds`, {
      help: 'Time spent in handlers',
      labels: ['type'],
      maxSeries: maxTypes,
    })
  }

  /**
   * Runs the handler of one event, synchronous or not, and passes its outcome on. A throw or rejection is an error;
   * {@link IGNORED} and {@link UNHANDLED} as results say that nothing was done.
   */
  handle<T>(type: string, handler: () => T): T {
    this.#received.inc({ type })
    const result = this.#duration.time({ type }, handler)
    if (isThenable(result)) return this.#settle(type, result) as T
    this.#count(type, result)
    return result
  }

  async #settle<T>(type: string, promise: PromiseLike<T>): Promise<T> {
    const result = await promise
    this.#count(type, result)
    return result
  }

  #count(type: string, result: unknown): void {
    if (result === IGNORED) this.#ignored.inc({ type })
    else if (result === UNHANDLED) this.#unhandled.inc({ type })
    else this.#processed.inc({ type })
  }

  /**
   * Measures every `emit` of an emitter: without a listener an event is unhandled. What others have put around `emit` since then outlives
   * the end of this.
   */
  instrument(emitter: EventEmitter): Registration {
    checkMethods('emitter', emitter, 'an EventEmitter', ['emit'])
    const { emit } = emitter
    const own = Object.getOwnPropertyDescriptor(emitter, 'emit')
    const measure = this.handle.bind(this)
    let ended = false
    const measured = function (this: EventEmitter, type: string | symbol, ...args: unknown[]) {
      if (ended) return emit.call(this, type, ...args)
      let handled = false
      measure(String(type), () => {
        handled = emit.call(this, type, ...args)
        return handled ? undefined : UNHANDLED
      })
      return handled
    }
    emitter.emit = measured
    return registration(() => {
      ended = true
      if (emitter.emit !== measured) return
      if (own === undefined) Reflect.deleteProperty(emitter, 'emit')
      else Object.defineProperty(emitter, 'emit', own)
    })
  }
}
