/** An option or argument has an impossible value. Thrown where the value is given, never later. */
export class InvalidOptionError extends TypeError {
  override readonly name = 'InvalidOptionError'
  readonly code = 'ERR_MILLRACE_INVALID_OPTION'
  /** Name of the option or argument. */
  readonly option: string
  /** What it may be, completing "to be". */
  readonly expected: string
  readonly received: unknown

  constructor(option: string, expected: string, received: unknown) {
    super(`Expected \`${option}\` to be ${expected}, got ${describe(received)}`)
    this.option = option
    this.expected = expected
    this.received = received
  }
}

/**
 * Why an argument has no canonical encoding:
 * - `function`, `symbol`: only identity tells two of them apart
 * - `instance`: an object of a class whose private state cannot be read
 * - `circular`: it contains itself
 * - `depth`: it is nested too deeply
 */
export type UnencodableReason = 'function' | 'symbol' | 'instance' | 'circular' | 'depth'

/** A memoized function was called with an argument that cannot become part of a key. */
export class UnencodableArgumentError extends TypeError {
  override readonly name = 'UnencodableArgumentError'
  readonly code = 'ERR_MILLRACE_UNENCODABLE_ARGUMENT'
  /** Index of the argument. */
  readonly argument: number
  readonly reason: UnencodableReason

  constructor(argument: number, reason: UnencodableReason, className?: string) {
    const what = {
      function: 'contains a function',
      symbol: 'contains a symbol',
      instance: `contains an instance of ${className}`,
      circular: 'contains itself',
      depth: 'is nested too deeply',
    }[reason]
    super(`Argument ${argument} ${what} and cannot be part of a cache key; give a \`key\` function`)
    this.argument = argument
    this.reason = reason
  }
}

function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  switch (typeof value) {
    case 'string':
      return `${JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)} (string)`
    case 'number':
    case 'boolean':
    case 'bigint':
      return `${Object.is(value, -0) ? '-0' : String(value)} (${typeof value})`
    default:
      return Array.isArray(value) ? 'an array' : `a value of type ${typeof value}`
  }
}
