type AnyGenerator = Generator<unknown, unknown> | AsyncGenerator<unknown, unknown>

/** What measures the whole run of a generator. */
export interface GeneratorWatch {
  /** Runs one step of the generator's body, or the part of it up to its first `await`. */
  step<T>(run: () => T): T
  /** The generator is done: it has returned, or was told to by `return`. Called once, or {@link failed} is. */
  done(): void
  failed(error: unknown): void
}

/** What generator functions inherit from, and what generators do. Those of other realms are taken for ordinary objects. */
const SYNC_FUNCTION: { prototype: object } = Object.getPrototypeOf(function* () {})
const ASYNC_FUNCTION: { prototype: object } = Object.getPrototypeOf(async function* () {})
const SYNC = SYNC_FUNCTION.prototype
const ASYNC = ASYNC_FUNCTION.prototype

/** Whether calling `fn` makes a generator. */
export function isGeneratorFunction(fn: object): boolean {
  return inherits(SYNC_FUNCTION, fn) || inherits(ASYNC_FUNCTION, fn)
}

/** Whether a call only made a generator, so that what it does is still to come. */
export function isGenerator(value: unknown): value is AnyGenerator {
  return typeof value === 'object' && value !== null && (inherits(SYNC, value) || isAsync(value))
}

function isAsync(value: object): boolean {
  return inherits(ASYNC, value)
}

function inherits(prototype: object, value: object): boolean {
  try {
    return Object.prototype.isPrototypeOf.call(prototype, value)
  } catch {
    // A proxy with a trap that throws: its consumer will see the error.
    return false
  }
}

/**
 * A generator that tells how `generator` goes. It inherits from it, so that it has its class and methods; what is not told is the end of
 * one that is neither read to its end nor told to return, as there is none.
 */
export function watchGenerator<G extends AnyGenerator>(generator: G, watch: GeneratorWatch): G {
  let over = false
  const ended = (tell: () => void): void => {
    if (over) return
    over = true
    tell()
  }
  const stepped = ({ done }: { readonly done?: boolean | undefined }): void => {
    if (done === true) ended(() => watch.done())
  }
  const failed = (error: unknown): void => ended(() => watch.failed(error))
  const step = isAsync(generator) ? later(watch, stepped, failed) : now(watch, stepped, failed)
  const method = (name: 'next' | 'return' | 'throw'): PropertyDescriptor => ({
    value: (...args: [never]) => step(() => (generator as Generator)[name](...args)),
    writable: true,
    configurable: true,
  })
  return Object.create(Object.getPrototypeOf(generator), {
    next: method('next'),
    return: method('return'),
    throw: method('throw'),
  })
}

type Stepped = (result: IteratorResult<unknown>) => void
type Step = (run: () => unknown) => unknown

function now(watch: GeneratorWatch, stepped: Stepped, failed: (error: unknown) => void): Step {
  return run => {
    let result: IteratorResult<unknown>
    try {
      result = watch.step(run) as IteratorResult<unknown>
    } catch (error) {
      failed(error)
      throw error
    }
    stepped(result)
    return result
  }
}

function later(watch: GeneratorWatch, stepped: Stepped, failed: (error: unknown) => void): Step {
  return async run => {
    try {
      const result = await (watch.step(run) as Promise<IteratorResult<unknown>>)
      stepped(result)
      return result
    } catch (error) {
      failed(error)
      throw error
    }
  }
}
