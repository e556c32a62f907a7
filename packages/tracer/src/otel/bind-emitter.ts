import type { EventEmitter } from 'node:events'
import type { Context, ContextManager } from '@opentelemetry/api'

type Listener = (...args: unknown[]) => void
type Method = 'on' | 'addListener' | 'once' | 'prependListener' | 'prependOnceListener'

const ADDERS: readonly Method[] = [
  'on',
  'addListener',
  'once',
  'prependListener',
  'prependOnceListener',
]

/** Emitters bound before; binding again changes nothing, as in OpenTelemetry's own manager. */
const bound = new WeakSet<EventEmitter>()

/** Makes listeners that are added from now on run in `context`. Removing them by the original function still works. */
export function bindEmitter<E extends EventEmitter>(
  manager: ContextManager,
  context: Context,
  emitter: E,
): E {
  // One whose methods cannot be replaced stays as it is.
  if (bound.has(emitter) || !Object.isExtensible(emitter)) return emitter
  bound.add(emitter)
  const wrappers = new WeakMap<Listener, Listener>()
  let adding = false
  for (const method of ADDERS) {
    const original = emitter[method] as (event: string | symbol, listener: Listener) => EventEmitter
    const patched = (event: string | symbol, listener: Listener): EventEmitter => {
      // `once` calls `on` inside with a wrapper of Node's, which must not be wrapped again.
      if (adding || typeof listener !== 'function') return original.call(emitter, event, listener)
      adding = true
      try {
        return original.call(emitter, event, wrapped(listener))
      } finally {
        adding = false
      }
    }
    Object.defineProperty(emitter, method, { value: patched, configurable: true, writable: true })
  }
  for (const method of ['off', 'removeListener'] as const) {
    const original = emitter[method] as (event: string | symbol, listener: Listener) => EventEmitter
    const patched = (event: string | symbol, listener: Listener): EventEmitter =>
      original.call(emitter, event, wrappers.get(listener) ?? listener)
    Object.defineProperty(emitter, method, { value: patched, configurable: true, writable: true })
  }
  return emitter

  function wrapped(listener: Listener): Listener {
    let wrapper = wrappers.get(listener)
    if (wrapper === undefined) {
      wrapper = manager.bind(context, listener)
      // Node compares this property when listeners are removed or listed.
      Object.defineProperty(wrapper, 'listener', { value: listener, configurable: true })
      wrappers.set(listener, wrapper)
    }
    return wrapper
  }
}
