/** The names of which a value is given. */
type Defined<O> = { [K in keyof O]: Exclude<O[K], undefined> }

/** Options to lay over others, which hold where these say nothing: without those that are `undefined`, which a spread would take. */
export function defined<O extends object>(options: O): Defined<O> {
  const entries = Object.entries(options).filter(([, value]) => value !== undefined)
  return Object.fromEntries(entries) as Defined<O>
}
