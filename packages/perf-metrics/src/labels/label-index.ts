/**
 * From a label object to its series, without building a key.
 *
 * Hot kernel; benchmark cases "counter, labels" and "counter, mixed labels". The identity of a series is the tuple of its label values, so
 * no separator exists that a value could contain. Values are read by name while all metrics have the same names, and else in the order
 * of the object. Then three steps, each a fallback of the one before:
 * 1. the values of the last calls: property loads and pointer comparisons. Tried only after {@link STEADY} repetitions, as a branch that
 *    is taken at random is mispredicted;
 * 2. a direct-mapped table, hashed from lengths and from the few characters that have told values apart so far ({@link Column}), whose
 *    entries are compared in full. Fixed characters would not tell routes apart that begin and end alike;
 * 3. nested maps, one level per label, which decide.
 *
 * Labels beyond the fourth are found by step 3 alone.
 */
export type LabelValue = string | number | boolean

/** Values by label name. Numbers and booleans mean their string. */
export type Labels<L extends string = string> = Readonly<Record<L, LabelValue>>

const TABLE_SIZE = 256
/** Repetitions after which the next call is expected to be another. */
const STEADY = 4

interface Entry<S> {
  readonly a: unknown
  readonly b: unknown
  readonly c: unknown
  readonly d: unknown
  readonly series: S
}

/** Beyond the end of any string. */
const NOWHERE = 0x7fffffff

/** A label, and which characters of its values the hash reads: none until two values of one length meet in the table. */
class Column {
  readonly name: string
  first = NOWHERE
  second = NOWHERE

  constructor(name: string) {
    // As a key, which makes it the very string that an enumeration gives: comparing the two is comparing pointers then.
    this.name = Object.keys({ [name]: true })[0]!
  }

  hash(value: unknown): number {
    if (typeof value !== 'string') return typeof value === 'number' ? value | 0 : 1
    const { length } = value
    const { first, second } = this
    let hash = length << 16
    if (first < length) hash = (hash + value.charCodeAt(first)) | 0
    if (second < length) hash = (hash + Math.imul(value.charCodeAt(second), 0x101)) | 0
    return hash
  }

  /** Reads a further character, if that tells apart what the hash does not. Twice at most. */
  refine(value: unknown, other: unknown): boolean {
    if (this.second !== NOWHERE || typeof value !== 'string' || typeof other !== 'string') {
      return false
    }
    if (value === other || this.hash(value) !== this.hash(other)) return false
    let at = 0
    while (value.charCodeAt(at) === other.charCodeAt(at)) at++
    if (this.first === NOWHERE) this.first = at
    else this.second = at
    return true
  }
}

/** The names that label objects were read by first, by position, and whether another name was read in the place of one. */
const readNames: string[] = []
let namesDiffer = false

function noteNames(names: readonly string[]): void {
  for (let i = 0; i < names.length && !namesDiffer; i++) {
    namesDiffer = names[i] !== (readNames[i] ??= names[i]!)
  }
}

/** A value no label can have: an empty entry matches nothing. */
const NEVER = Symbol('no label value')

type Level<S> = Map<string, Level<S> | S>

/** Why a label object names no series. */
export interface LabelProblem {
  readonly label: string
  readonly problem: string
}

/** What the index asks for when the values are not in its table. */
export interface SeriesSource<S> {
  /** The series of these values, created if need be, and whether the table may remember it. */
  resolve(values: readonly string[]): { series: S; cacheable: boolean }
  /** The series that swallows what a wrong label object would have counted. */
  refuse(problem: LabelProblem): S
}

export class LabelIndex<S> {
  readonly names: readonly string[]
  readonly #source: SeriesSource<S>
  readonly #arity: number
  readonly #c0: Column
  readonly #c1: Column
  readonly #c2: Column
  readonly #c3: Column
  readonly #none: Entry<S>
  readonly #table: Entry<S>[]
  /** What the last calls have found, where in the table, and how often in a row beyond the first. */
  #last: Entry<S>
  #slot = -1
  #repeats = 0
  #root: Level<S> = new Map()

  constructor(names: readonly string[], source: SeriesSource<S>) {
    this.names = names
    this.#source = source
    this.#arity = names.length
    this.#c0 = new Column(names[0] ?? '')
    this.#c1 = new Column(names[1] ?? '')
    this.#c2 = new Column(names[2] ?? '')
    this.#c3 = new Column(names[3] ?? '')
    this.#none = { a: NEVER, b: NEVER, c: NEVER, d: NEVER, series: undefined as S }
    this.#last = this.#none
    this.#table = names.length > 0 ? new Array(TABLE_SIZE).fill(this.#none) : []
  }

  /**
   * The series of `labels`. A wrong object gets the refusing series; a label too many is noticed when its
   * combination of values is first seen.
   */
  find(labels: Labels): S {
    if (labels === undefined || labels === null) return this.#miss(labels, 0)
    // Around a call: around the reads themselves it costs half of an update ("counter, labels" of the benchmarks).
    try {
      return this.#find(labels)
    } catch (error) {
      return this.#unread(labels, error)
    }
  }

  #find(labels: Labels): S {
    if (namesDiffer) return this.#findByKeys(labels)
    const arity = this.#arity
    const a = labels[this.#c0.name]
    const b = arity > 1 ? labels[this.#c1.name] : undefined
    const c = arity > 2 ? labels[this.#c2.name] : undefined
    const d = arity > 3 ? labels[this.#c3.name] : undefined
    return this.#found(labels, a, b, c, d)
  }

  /**
   * As the reads by name above, in the order of the object: V8 takes the values of an enumeration from their places, whatever
   * the names and shapes, and looks each up in a table of its own where one read sees several names. Benchmark case: "in company".
   */
  #findByKeys(labels: Labels): S {
    const first = this.#c0.name
    const second = this.#c1.name
    const third = this.#c2.name
    const fourth = this.#c3.name
    let a: unknown
    let b: unknown
    let c: unknown
    let d: unknown
    for (const key in labels) {
      // Inherited ones as well, as a read by name has them; no other, as it may be a getter that throws.
      if (key === first) a = labels[key]
      else if (key === second) b = labels[key]
      else if (key === third) c = labels[key]
      else if (key === fourth) d = labels[key]
    }
    return this.#found(labels, a, b, c, d)
  }

  #found(labels: Labels, a: unknown, b: unknown, c: unknown, d: unknown): S {
    if (this.#repeats === STEADY) {
      const last = this.#last
      if (last.a === a && last.b === b && last.c === c && last.d === d) return last.series
      this.#repeats = 0
    }
    return this.#probe(labels, a, b, c, d)
  }

  /** Where a getter or a proxy of the program has thrown, the update is counted as mislabelled. */
  #unread(labels: Labels, error: unknown): S {
    const values = readValues(this.names, labels)
    if ('problem' in values) return this.#source.refuse(values)
    throw error
  }

  #probe(labels: Labels, a: unknown, b: unknown, c: unknown, d: unknown): S {
    const slot = this.#slotOf(a, b, c, d)
    const entry = this.#table[slot]!
    if (entry.a === a && entry.b === b && entry.c === c && entry.d === d) {
      if (slot !== this.#slot) {
        this.#slot = slot
        this.#repeats = 0
      } else if (++this.#repeats === STEADY) this.#last = entry
      return entry.series
    }
    return this.#miss(labels, slot, a, b, c, d)
  }

  #slotOf(a: unknown, b: unknown, c: unknown, d: unknown): number {
    const arity = this.#arity
    let hash = this.#c0.hash(a)
    if (arity > 1) hash = (Math.imul(hash, 0x2c1b3c6d) + this.#c1.hash(b)) | 0
    if (arity > 2) hash = (Math.imul(hash, 0x2c1b3c6d) + this.#c2.hash(c)) | 0
    if (arity > 3) hash = (Math.imul(hash, 0x2c1b3c6d) + this.#c3.hash(d)) | 0
    return Math.imul(hash, 0x9e3779b1) >>> 24
  }

  #miss(labels: Labels, slot: number, a?: unknown, b?: unknown, c?: unknown, d?: unknown): S {
    noteNames(this.names)
    const values = readValues(this.names, labels)
    if (!Array.isArray(values)) return this.#source.refuse(values as LabelProblem)
    const { series, cacheable } = this.#source.resolve(values)
    if (cacheable && this.#holds(a, b, c, d)) this.#remember(slot, { a, b, c, d, series })
    return series
  }

  /** Whether the table can tell a combination: it has a place for each value, and an enumeration has shown them all. */
  #holds(a: unknown, b: unknown, c: unknown, d: unknown): boolean {
    const arity = this.#arity
    if (arity > 4 || a === undefined) return false
    return (
      (arity < 2 || b !== undefined) &&
      (arity < 3 || c !== undefined) &&
      (arity < 4 || d !== undefined)
    )
  }

  #remember(slot: number, entry: Entry<S>): void {
    const { a, b, c, d } = entry
    const before = this.#table[slot]!
    const refined =
      before !== this.#none &&
      (this.#c0.refine(a, before.a) ||
        this.#c1.refine(b, before.b) ||
        this.#c2.refine(c, before.c) ||
        this.#c3.refine(d, before.d))
    // By the new hash, what the table holds may be elsewhere: it fills again at the next calls.
    if (refined) this.#table.fill(this.#none)
    this.#table[refined ? this.#slotOf(a, b, c, d) : slot] = entry
    this.#slot = -1
    this.#repeats = 0
  }

  /** The series of these values, if there is one. */
  get(values: readonly string[]): S | undefined {
    let level: Level<S> | S | undefined = this.#root
    for (let i = 0; i < values.length; i++) {
      level = (level as Level<S>).get(values[i]!)
      if (level === undefined) return undefined
    }
    return level as S
  }

  set(values: readonly string[], series: S): void {
    let level = this.#root
    const deepest = values.length - 1
    for (let i = 0; i < deepest; i++) {
      let next = level.get(values[i]!) as Level<S> | undefined
      if (next === undefined) level.set(values[i]!, (next = new Map()))
      level = next
    }
    level.set(values[deepest]!, series)
  }

  /** Forgets these values. The table is emptied, as it may hold them under several spellings (`200` and `'200'`). */
  delete(values: readonly string[]): void {
    deletePath(this.#root, values, 0)
    this.#repeats = 0
    this.#table.fill(this.#none)
  }
}

function deletePath<S>(level: Level<S>, values: readonly string[], depth: number): void {
  const key = values[depth]!
  if (depth < values.length - 1) {
    const next = level.get(key) as Level<S> | undefined
    if (next === undefined) return
    deletePath(next, values, depth + 1)
    if (next.size > 0) return
  }
  level.delete(key)
}

/** The label values in the order of `names` as strings, or what is wrong with the object. Never throws. */
export function readValues(
  names: readonly string[],
  labels: Labels,
): readonly string[] | LabelProblem {
  try {
    return valuesOf(names, labels)
  } catch {
    return unreadable(names[0] ?? '')
  }
}

function unreadable(label: string): LabelProblem {
  return { label, problem: 'cannot be read: a getter or a proxy threw' }
}

function valuesOf(names: readonly string[], labels: Labels): readonly string[] | LabelProblem {
  if (typeof labels !== 'object' || labels === null) {
    return { label: names[0] ?? '', problem: 'is missing: no label object was passed' }
  }
  const values: string[] = []
  for (const label of names) {
    const value: unknown = labels[label]
    if (typeof value === 'string') {
      // No format can express half a surrogate pair, and two of them must not become one series.
      if (!value.isWellFormed()) return { label, problem: 'must be well-formed Unicode' }
      values.push(value)
    } else if (typeof value === 'number' || typeof value === 'boolean') values.push(String(value))
    else if (value === undefined) return { label, problem: 'is missing' }
    else return { label, problem: 'must be a string, number or boolean' }
  }
  for (const label of Object.keys(labels)) {
    if (!names.includes(label)) return { label, problem: 'is not one of its labels' }
  }
  return values
}
