import type { Clock } from '../clock.ts'
import { InvalidOptionError } from './invalid-option-error.ts'

/*
 * One dialect: `check…(option, value, …bounds)` returns the value, known to be right, or throws. Defaults are put in before, so that
 * `undefined` is as wrong here as anything else.
 */

/** A record with every option name of `O`, as TypeScript demands. Only the names count: a table of defaults or of checks will do. */
export type OptionNames<O> = Readonly<Record<keyof O, unknown>>

/** In a table of names: of an option that may be `null`, which means something there. */
export const NULLABLE: unique symbol = Symbol('nullable')

/** `value`, of a type that `right` vouches for. */
function accept<T>(right: boolean, option: string, expected: string, value: unknown): T {
  if (right) return value as T
  throw new InvalidOptionError(option, expected, value)
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number'
}

/** A finite number above 0. */
export function checkPositive(option: string, value: unknown): number {
  return accept(
    isNumber(value) && value > 0 && value < Infinity,
    option,
    'a finite number above 0',
    value,
  )
}

/** A number above 0, or Infinity for no limit. */
export function checkPositiveOrInfinity(option: string, value: unknown): number {
  return accept(isNumber(value) && value > 0, option, 'a number above 0 or Infinity', value)
}

/** A finite number of at least 0. */
export function checkNonNegative(option: string, value: unknown): number {
  return checkAtLeast(option, value, 0)
}

/** A finite number of at least `least`. */
export function checkAtLeast(option: string, value: unknown, least: number): number {
  if (isNumber(value) && value >= least && value < Infinity) return value
  throw new InvalidOptionError(option, `a finite number of at least ${grouped(least)}`, value)
}

/** A number of at least 0, or Infinity for no limit. */
export function checkNonNegativeOrInfinity(option: string, value: unknown): number {
  return accept(isNumber(value) && value >= 0, option, 'a number of at least 0 or Infinity', value)
}

/** A number from `least` to `most`, both included. */
export function checkRange(option: string, value: unknown, least: number, most: number): number {
  const right = isNumber(value) && value >= least && value <= most
  return accept(right, option, `a number from ${least} to ${most}`, value)
}

/** A part of a whole that is not nothing: above 0, at most 1. */
export function checkShare(option: string, value: unknown): number {
  const right = isNumber(value) && value > 0 && value <= 1
  return accept(right, option, 'a number above 0 and up to 1', value)
}

/** A whole number from `least` to `most`, both included. */
export function checkInteger(
  option: string,
  value: unknown,
  least: number,
  most: number = Number.MAX_SAFE_INTEGER,
): number {
  if (isInteger(value, least, most)) return value
  throw new InvalidOptionError(option, `an integer ${integerRange(least, most)}`, value)
}

/** A whole number of at least `least`, or Infinity for no limit. */
export function checkIntegerOrInfinity(option: string, value: unknown, least: number): number {
  if (value === Infinity || isInteger(value, least, Number.MAX_SAFE_INTEGER)) return value
  throw new InvalidOptionError(option, `an integer of at least ${least} or Infinity`, value)
}

function isInteger(value: unknown, least: number, most: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most
}

function integerRange(least: number, most: number): string {
  if (most === Number.MAX_SAFE_INTEGER) return `of at least ${grouped(least)}`
  return `from ${grouped(least)} to ${grouped(most)}`
}

/** For errors alone: the first number that a process formats for a locale has it load what it knows of locales. */
function grouped(value: number): string {
  return value.toLocaleString('en-US')
}

/** `true` or `false`. */
export function checkBoolean(option: string, value: unknown): boolean {
  return accept(typeof value === 'boolean', option, 'true or false', value)
}

/** A string that is not empty. */
export function checkText(option: string, value: unknown): string {
  const right = typeof value === 'string' && value !== ''
  return accept(right, option, 'a string that is not empty', value)
}

/** A path of a file or folder, which the system ends at a NUL. */
export function checkPath(option: string, value: unknown): string {
  const path = checkText(option, value)
  return accept(!path.includes('\0'), option, 'a path, without NUL', path)
}

/** A function. */
export function checkFunction<F>(option: string, value: F, expected = 'a function'): F {
  return accept(typeof value === 'function', option, expected, value)
}

/** One of the strings in `allowed`. */
export function checkOneOf<T extends string>(
  option: string,
  value: unknown,
  allowed: readonly T[],
): T {
  if (allowed.includes(value as T)) return value as T
  const names = allowed.map(name => `'${name}'`).join(', ')
  throw new InvalidOptionError(option, allowed.length === 1 ? names : `one of ${names}`, value)
}

/** An array. */
export function checkList<T>(option: string, value: readonly T[], of = 'an array'): readonly T[] {
  return accept(Array.isArray(value), option, of, value)
}

/** An object of names and values: no array or function, nor a Map, Headers or Promise, whose names would all be taken for absent. */
export function checkRecord<T>(option: string, value: T, expected = 'an object'): T {
  return accept(isRecord(value), option, expected, value)
}

function isRecord(value: unknown): value is Record<string, unknown> {
  // A module's namespace is one, too.
  return /t (Object|Module)]$/.test(Object.prototype.toString.call(value))
}

const HEADER_NAME = /^[!#$%&'*+\-.^_`|~\dA-Za-z]+$/
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/

/** Headers of HTTP requests: names that are tokens, values that are texts without line breaks. */
export function checkHeaders(
  option: string,
  value: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const right =
    isRecord(value) &&
    Object.entries(value).every(
      ([name, text]) =>
        HEADER_NAME.test(name) &&
        // Who sends the body says how it ends.
        name.toLowerCase() !== 'transfer-encoding' &&
        typeof text === 'string' &&
        HEADER_VALUE.test(text),
    )
  return accept(right, option, 'an object of HTTP header names and texts', value)
}

/**
 * An object, or a function, with the methods named: what an interface demands of what a user implements.
 *
 * @param expected phrase such as `a Store`
 */
export function checkMethods<T>(
  option: string,
  value: T,
  expected: string,
  methods: readonly (string | symbol)[],
): T {
  const held = Object(value) === value ? (value as Record<string | symbol, unknown>) : undefined
  const missing = methods.find(name => typeof held?.[name] !== 'function')
  const what =
    missing === undefined ? expected : `${expected}, with a method \`${String(missing)}\``
  return accept(held !== undefined && missing === undefined, option, what, value)
}

/** An AbortSignal, be it of another realm or a polyfill's. */
export function checkSignal(option: string, value: AbortSignal): AbortSignal {
  if (value instanceof AbortSignal) return value
  const expected = 'an AbortSignal'
  accept((Object(value) as AbortSignal).aborted !== undefined, option, expected, value)
  const methods = ['addEventListener', 'removeEventListener', 'throwIfAborted']
  return checkMethods(option, value, expected, methods)
}

/** A clock that also sets timers. */
export function checkClock<C extends Clock>(option: string, value: C): C {
  return checkMethods(option, value, 'a clock', ['now', 'setTimer'])
}

/**
 * An object in which every name is known: a misspelt limit must not silently be no limit. Nor may `null`
 * be one, unless its name is {@link NULLABLE}: what is left out, or `undefined`, has its default.
 *
 * @param path what stands before the names in errors, such as `retry`; empty for the options of a constructor
 * @param names of all options, as a record so that TypeScript refuses one too few
 * @throws {InvalidOptionError} that names the nearest known option
 */
export function checkOptions<O extends object>(path: string, options: O, names: OptionNames<O>): O {
  checkRecord(path || 'options', options, 'a plain object of options')
  // Inherited ones count, too, but for what somebody gave all objects.
  for (const name in options) {
    if (name in Object.prototype && !Object.hasOwn(options, name)) continue
    const option = (path && `${path}.`) + name
    const value = (options as Record<string, unknown>)[name]
    if (!Object.hasOwn(names, name)) {
      const nearest = nearestName(name, Object.keys(names))
      const hint = nearest && ` (did you mean \`${nearest}\`?)`
      throw new InvalidOptionError(option, `absent, as there is no such option${hint}`, value)
    }
    if (value !== null || (names as Record<string, unknown>)[name] === NULLABLE) continue
    throw new InvalidOptionError(option, 'anything but null', null)
  }
  return options
}

/** The known name with the fewest letters to change, if that is at most a third of them, or empty. */
function nearestName(name: string, known: readonly string[]): string {
  let nearest = ''
  let fewest = Math.max(2, Math.floor(name.length / 3) + 1)
  for (const candidate of known) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase())
    if (distance < fewest) {
      fewest = distance
      nearest = candidate
    }
  }
  return nearest
}

/** Levenshtein's distance, by one row of its table. */
function editDistance(from: string, to: string): number {
  let row = Array.from(`${to}.`, (_, index) => index)
  for (const letter of from) {
    let left = row[0]!
    row = row.map((above, j) => {
      const diagonal = row[j - 1] ?? above
      left = letter === to[j - 1] ? diagonal : 1 + Math.min(left, above, diagonal)
      return left
    })
  }
  return row.at(-1)!
}
