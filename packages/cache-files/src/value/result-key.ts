import { checkFunction, checkRecord, checkText, InvalidOptionError } from '@millrace/kit'

/**
 * The key under which every level keeps what was made from a content: by its bytes, by what made it, and by what else decided. Equal keys
 * mean equal results, under whichever path, in whichever process. JSON keeps the parts apart whatever is in them.
 *
 * @param hash SHA-256 of the bytes, in hex
 * @param id name and version of the parser or extractor with its options
 * @param variant what else decides, such as the extension
 */
export function resultKey(hash: string, id: string, variant: string): string {
  return JSON.stringify([hash, id, variant])
}

/**
 * What a `variant` option says of a path.
 *
 * @throws {InvalidOptionError} if that is no text, as it is part of a key
 */
export function variantOf(variant: (path: string) => string, path: string): string {
  const found: unknown = variant(path)
  if (typeof found === 'string') return found
  throw new InvalidOptionError('variant', 'a function that returns a string', found)
}

/**
 * What each option does to a result. TypeScript demands a decision for every option, so that a new one cannot be left out of the key by
 * oversight.
 * - `result`: another value gives another result; it must have a JSON form, in which undefined is as good as absent
 * - `none`: it decides nothing, as a level of logging
 * - a function: the part of the value that decides, as text
 */
export type OptionEffects<O extends object> = {
  readonly [K in keyof O]-?: 'result' | 'none' | ((value: O[K]) => string)
}

/**
 * An `id` for a parser with options: the same exactly where every option that decides is the same.
 *
 * @param name name and version of the parser, such as `acorn@8.19`
 * @throws {InvalidOptionError} for an option without a decision, for a value without a JSON form, and for an effect that is no text
 */
export function parserId<O extends object>(
  name: string,
  options: O,
  effects: OptionEffects<O>,
): string {
  checkText('name', name)
  checkRecord('options', options)
  checkRecord('effects', effects)
  for (const option of Object.keys(options)) {
    if (!Object.hasOwn(effects, option)) {
      throw new InvalidOptionError(
        option,
        'an option whose effect is decided',
        Reflect.get(options, option),
      )
    }
  }
  const parts = Object.keys(effects)
    .sort()
    .flatMap(option => part(option as keyof O & string, options, effects))
  return JSON.stringify([name, ...parts])
}

function part<O extends object>(
  option: keyof O & string,
  options: O,
  effects: OptionEffects<O>,
): [option: string, value: string][] {
  const effect = effects[option]
  const value = options[option]
  if (effect === 'none') return []
  if (effect !== 'result') {
    checkFunction(option, effect, "'result', 'none' or a function")
    const text: unknown = (effect as (value: unknown) => unknown)(value)
    if (typeof text === 'string') return [[option, text]]
    throw new InvalidOptionError(option, 'an option whose effect is told as a string', text)
  }
  if (value === undefined) return [[option, '']]
  const text = jsonOf(value)
  if (text === undefined) throw new InvalidOptionError(option, 'a value with a JSON form', value)
  return [[option, text]]
}

/** JSON that keeps all of the value, or `undefined`. A property that is undefined is as good as none, as an option is; in a list it is not. */
function jsonOf(value: unknown): string | undefined {
  let complete = true
  const text = JSON.stringify(value, function (this: unknown, _, inner: unknown) {
    const kind = typeof inner
    complete &&=
      kind === 'string' ||
      kind === 'boolean' ||
      (kind === 'number' && Number.isFinite(inner)) ||
      inner === null ||
      Array.isArray(inner) ||
      (inner === undefined && !Array.isArray(this)) ||
      (kind === 'object' && Object.getPrototypeOf(inner) === Object.prototype)
    return complete ? inner : null
  })
  return complete ? text : undefined
}
