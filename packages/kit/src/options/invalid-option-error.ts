import { describe } from './describe.ts'

const brand = Symbol.for('@millrace/InvalidOptionError')

/**
 * A constructor option, or an option or argument of one call, is outside its documented bounds. Thrown before anything has happened.
 *
 * Every package carries this class; `instanceof` holds between all copies of it. What was passed is described by type, length and
 * shape only, so that an error may be logged even where a credential was given to the wrong option.
 */
export class InvalidOptionError extends TypeError {
  override readonly name = 'InvalidOptionError'
  readonly code = 'ERR_MILLRACE_INVALID_OPTION'
  /** Name of the option or argument, with its path: `retry.attempts`. */
  declare readonly option: string
  /** What would have been accepted, as a phrase that follows "to be". */
  declare readonly expected: string
  /** What was passed, by type, length and shape. */
  declare readonly received: string

  /**
   * @param option name of the option, with its path
   * @param expected phrase that follows "to be"
   * @param value what was passed; it is described, not kept
   */
  constructor(option: string, expected: string, value: unknown) {
    const received = describe(value)
    super(`Expected \`${option}\` to be ${expected}, got ${received}`)
    this.option = option
    this.expected = expected
    this.received = received
  }
}

Object.defineProperty(InvalidOptionError.prototype, brand, { value: true })

/** Subclasses inherit it and are told apart by their prototypes, as usual. */
function hasInstance(this: typeof InvalidOptionError, value: unknown): boolean {
  return this === InvalidOptionError
    ? typeof value === 'object' && value !== null && brand in value
    : Function.prototype[Symbol.hasInstance].call(this, value)
}

Object.defineProperty(InvalidOptionError, Symbol.hasInstance, { value: hasInstance })
