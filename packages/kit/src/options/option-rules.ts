import { checkOneOf, checkOptions } from './checks.ts'

/** Makes of what was given for an option, or was not, what holds. @throws {InvalidOptionError} */
export type OptionRule<V> = (option: string, given: unknown) => V

/** A rule for every option of `O`, which make the settings `S`. */
export type OptionRules<O, S extends Record<keyof O, unknown> = Resolved<O>> = Rules<S>

type Rules<S> = { readonly [K in keyof S]: OptionRule<S[K]> }

/** The settings of options that have defaults, but for those in `Open`, which may be left out. */
export type Resolved<O, Open extends keyof O = never> = {
  readonly [K in keyof Required<O>]: K extends Open ? O[K] : Exclude<O[K], undefined>
}

type Check<V, Bounds extends unknown[]> = (option: string, value: never, ...bounds: Bounds) => V

/** An option that is `value` where it is left out. */
export function withDefault<V, Bounds extends unknown[]>(
  value: NoInfer<V>,
  check: Check<V, Bounds>,
  ...bounds: Bounds
): OptionRule<V> {
  return (option, given) => check(option, (given === undefined ? value : given) as never, ...bounds)
}

/** An option that is one of several words: the first where it is left out. */
export function oneOf<const T extends string>(...allowed: readonly T[]): OptionRule<T> {
  return (option, given) => checkOneOf(option, given === undefined ? allowed[0] : given, allowed)
}

/** An option that may be left out. */
export function optional<V, Bounds extends unknown[]>(
  check: Check<V, Bounds>,
  ...bounds: Bounds
): OptionRule<V | undefined> {
  return (option, given) =>
    given === undefined ? undefined : check(option, given as never, ...bounds)
}

/** An option that has to be given. */
export function required<V, Bounds extends unknown[]>(
  check: Check<V, Bounds>,
  ...bounds: Bounds
): OptionRule<V> {
  return (option, given) => check(option, given as never, ...bounds)
}

/** An option that holds options of its own: all of them are left out where it is. */
export function nested<S>(rules: Rules<S>): OptionRule<S> {
  return (option, given = {}) =>
    applyRules(option, checkOptions<object>(option, given as object, rules), rules)
}

/** An option that is checked by what it is handed to. */
export function asGiven<V>(_option: string, given: unknown): V {
  return given as V
}

/**
 * The settings that options come to, each by its rule.
 *
 * @param path what stands before the names in errors, such as `retry`; empty for the options of a constructor
 * @throws {InvalidOptionError} as the rules do, and {@link checkOptions}
 */
export function resolveOptions<O extends object, S extends Record<keyof O, unknown>>(
  path: string,
  options: O,
  rules: Rules<S>,
): S {
  return applyRules(path, checkOptions<O>(path, options, rules), rules)
}

/** The same where names are checked already, or there are others that belong to something else. */
export function applyRules<S>(path: string, options: object, rules: Rules<S>): S {
  const names = Object.keys(rules) as (keyof S & string)[]
  const settings = names.map(name => {
    const given = (options as Partial<Record<keyof S, unknown>>)[name]
    return [name, rules[name]((path && `${path}.`) + name, given)]
  })
  return Object.fromEntries(settings) as S
}
