import { EventEmitter } from 'node:events'
import type { Context, ContextManagementToken, ContextManager } from '@opentelemetry/api'
import { enter, ownContext, runInOwn } from '../context/active-context.ts'
import { ApiActiveContext, toApiContext } from './api-active-context.ts'
import { bindEmitter } from './bind-emitter.ts'
import { takeCharge } from './context-bridge.ts'

/**
 * Keeps the API's active context in the tracer's own asynchronous store, so that both see the same active span and the
 * process pays for one store. Register it with {@link MillraceTracerProvider.register}.
 */
export class MillraceContextManager implements ContextManager {
  active(): Context {
    takeCharge(true)
    const current = ownContext()
    if (current instanceof ApiActiveContext && current.span === current.ownSpan) {
      return current.foreign as Context
    }
    return toApiContext(current)
  }

  with<A extends unknown[], F extends (...args: A) => ReturnType<F>>(
    context: Context,
    fn: F,
    thisArg?: ThisParameterType<F>,
    ...args: A
  ): ReturnType<F> {
    return runInOwn(new ApiActiveContext(context), () => Reflect.apply(fn, thisArg, args))
  }

  bind<T>(context: Context, target: T): T {
    if (isEmitter(target)) return bindEmitter(this, context, target)
    if (typeof target !== 'function') return target
    const fn = target as unknown as (this: unknown, ...args: unknown[]) => unknown
    const manager = this
    const bound = function (this: unknown, ...args: unknown[]): unknown {
      return manager.with(context, () => Reflect.apply(fn, this, args))
    }
    try {
      Object.defineProperty(bound, 'length', { value: fn.length, configurable: true })
    } catch {
      // A proxy with a trap that throws: calling it will tell.
    }
    return bound as T
  }

  attach(context: Context): ContextManagementToken {
    const previous = ownContext()
    enter(new ApiActiveContext(context))
    return { dispose: () => enter(previous) }
  }

  enable(): this {
    return this
  }

  disable(): this {
    takeCharge(false)
    return this
  }
}

function isEmitter<T>(target: T): target is T & EventEmitter {
  try {
    return target instanceof EventEmitter
  } catch {
    // A revoked proxy, or one with a trap that throws.
    return false
  }
}
