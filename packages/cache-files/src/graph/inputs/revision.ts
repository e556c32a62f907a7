import { FileReadError } from '../../errors.ts'
import type { FileContent } from '../../table/read/file-content.ts'
import { type KnownFile, sameKnown } from '../../table/records/table-snapshot.ts'
import type { InputDependency } from './input-dependency.ts'
import { type InputKind, saltOf } from './input-kinds.ts'
import { RevisionConflict } from './revision-conflict.ts'
import { Surroundings } from './surroundings.ts'
import type { World } from './world.ts'

/** What is known of a file in a revision: its record, or why it could not be read. */
type FileState = KnownFile | string

/**
 * One look at the world: every input has one state in it, that of when it was first asked for. A file that is found to have changed since
 * makes the revision worthless, and another one is begun. Before an answer is given, {@link moved} looks at everything once more: what was
 * the same both times held at one moment, that between the two.
 */
export class Revision {
  /** On the graph's clock. */
  readonly startedAt: number
  readonly #world: World
  readonly #files = new Map<string, FileState>()
  /** What a feed vouched for when it was looked at, in place of an entry in {@link #files}; as long as for the look before. */
  readonly #vouched: KnownFile[]
  #vouchedCount = 0
  /** How many reports there had been before. */
  readonly #reports: number
  readonly #contents = new Map<string, FileContent>()
  /** All that was looked at besides files. */
  readonly surroundings: Surroundings
  /** Of durable folders, when it began. */
  readonly durableEpoch: number
  /** A file that changed, once one did. */
  conflict: string | undefined

  constructor(world: World, startedAt: number) {
    this.#world = world
    this.surroundings = new Surroundings(world)
    this.#reports = world.files.reports
    this.durableEpoch = world.durable.epoch
    this.#vouched = new Array(world.expected.vouched)
    this.startedAt = startedAt
  }

  /** Whether an input has the fingerprint in this revision. Benchmark case: files "edit to answer in 10,000 files". */
  holds(dependency: InputDependency): boolean {
    if (dependency.kind === 'file') {
      const known = this.#vouchedFor(dependency)
      if (known !== undefined) return known.hash === dependency.fingerprint
    }
    return this.#looksLike(dependency)
  }

  /** Apart, as variables of a closure cost each call of the function around it. */
  #looksLike({ kind, name, fingerprint }: InputDependency): boolean {
    const { surroundings } = this
    if (kind === 'env')
      return surroundings.envFingerprint(name, saltOf(fingerprint)) === fingerprint
    return surroundings.unlessUnknown(() => this.fingerprint(kind, name)) === fingerprint
  }

  /**
   * The fingerprint of an input in this revision.
   *
   * @throws {FileReadError} for folders whose names are unknown
   */
  fingerprint(kind: InputKind, name: string): string {
    const { durable } = this.#world
    if (!durable.covers(kind, name)) return this.#look(kind, name)
    let fingerprint = durable.get(kind, name)
    if (fingerprint === undefined) {
      fingerprint = this.#look(kind, name)
      // The next look may find more, though no marker has changed.
      if (fingerprint !== UNKNOWN && durable.epoch === this.durableEpoch) {
        durable.set(kind, name, fingerprint)
      }
    }
    return fingerprint
  }

  /**
   * The content of a file in this revision.
   *
   * @throws {FileReadError}
   */
  async read(path: string): Promise<FileContent> {
    return (
      this.readNow(path) ??
      this.#noted(
        path,
        await this.#world.files.read(path).catch(error => this.#unreadable(path, error)),
      )
    )
  }

  /**
   * {@link read}, if it need not wait.
   *
   * @throws {FileReadError}
   */
  readNow(path: string): FileContent | undefined {
    const known = this.#contents.get(path)
    if (known !== undefined) return known
    let content: FileContent | undefined
    try {
      content = this.#world.files.readNow(path)
    } catch (error) {
      this.#unreadable(path, error)
    }
    return content && this.#noted(path, content)
  }

  /** Whether something could not be told for want of a descriptor, so that another look later may tell more. */
  get starved(): boolean {
    return this.surroundings.starved
  }

  /**
   * Looks at every input once more, those in durable folders by their markers. Returns the name of one that changed; `undefined` where they all
   * held at one moment. A `stat` per file, nothing where a feed vouches for it.
   */
  moved(): string | undefined {
    const { files, durable, expected } = this.#world
    expected.vouched = this.#vouchedCount
    if (files.reports !== this.#reports) {
      for (let index = 0; index < this.#vouchedCount; index++) {
        const known = this.#vouched[index]!
        if (this.#changed(known.path, known)) return known.path
      }
    }
    for (const [path, state] of this.#files) {
      if (!durable.covers('file', path) && this.#changed(path, state)) return path
    }
    return this.surroundings.moved() ?? this.#durableMoved()
  }

  #durableMoved(): string | undefined {
    const { durable } = this.#world
    const checked = this.surroundings.unlessUnknown(() => durable.check())
    return Object.is(checked, this.durableEpoch) ? undefined : durable.cause
  }

  #look(kind: InputKind, name: string): string {
    return kind === 'file'
      ? fingerprintOf(this.#file(name))
      : this.surroundings.fingerprint(kind, name)
  }

  /** The record of a file for which a feed vouches. {@link moved} finds out where it is not what was looked at otherwise. */
  #vouchedFor(dependency: InputDependency): KnownFile | undefined {
    const { files } = this.#world
    let { known } = dependency
    if (known === undefined || !files.vouches(known)) {
      known = files.vouched(dependency.name)
      dependency.known = known
    }
    if (known !== undefined) this.#vouched[this.#vouchedCount++] = known
    return known
  }

  #file(path: string): FileState {
    const known = this.#files.get(path)
    if (known !== undefined) return known
    const state = this.#currentState(path)
    if (state === undefined) this.#disagree(path)
    this.#files.set(path, state)
    return state
  }

  /** The present state of a file; `undefined` if it changes all the while. */
  #currentState(path: string): FileState | undefined {
    try {
      return this.#world.files.knownSync(path)
    } catch (error) {
      this.surroundings.missed(error)
      if (error instanceof FileReadError) return failure(error)
      throw error
    }
  }

  #changed(path: string, before: FileState): boolean {
    const now = this.#currentState(path)
    if (now === undefined) return true
    if (typeof now === 'string' || typeof before === 'string') {
      // A hash alone was never tied to a record.
      return typeof before !== 'string' || fingerprintOf(now) !== before
    }
    return !sameKnown(now, before)
  }

  #noted(path: string, content: FileContent): FileContent {
    // Half old and half new, or read anew by another call meanwhile.
    if (!content.stable) this.#disagree(path)
    const record = this.#world.files.peek(path)
    this.#note(path, record?.hash === content.hash ? record : content.hash)
    this.#contents.set(path, content)
    return content
  }

  #unreadable(path: string, error: unknown): never {
    if (error instanceof FileReadError) this.#note(path, failure(error))
    throw error
  }

  /** Notes the state of a file that was read anyway. */
  #note(path: string, state: FileState): void {
    const known = this.#files.get(path)
    if (known === undefined) this.#files.set(path, state)
    else if (fingerprintOf(known) !== fingerprintOf(state)) this.#disagree(path)
  }

  #disagree(path: string): never {
    this.conflict ??= path
    throw new RevisionConflict(path)
  }
}

const fingerprintOf = (state: FileState): string => (typeof state === 'string' ? state : state.hash)

const failure = ({ reason }: FileReadError): string => `error ${reason}`

/** The state of a file that could be anything, as it could not be read for a reason that may pass. */
const UNKNOWN = 'error failed'
