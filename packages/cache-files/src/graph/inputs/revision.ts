import { FileReadError, isStarved } from '../../errors.ts'
import type { FileTable } from '../../table/file-table.ts'
import { type FolderList, sameList } from '../../table/paths/folder-lists.ts'
import type { PathKind } from '../../table/paths/path-kind.ts'
import type { FileContent } from '../../table/read/file-content.ts'
import { type KnownFile, sameKnown } from '../../table/records/table-snapshot.ts'
import type { DurableInputs } from './durable-inputs.ts'
import { globSync } from './glob.ts'
import type { InputDependency } from './input-dependency.ts'
import {
  environmentFingerprint,
  type InputKind,
  listFingerprint,
  namesFingerprint,
  realPath,
  saltOf,
} from './input-kinds.ts'

/** Thrown through queries when a file turns out to have changed since this revision first looked at it. */
export class RevisionConflict extends Error {
  readonly path: string

  constructor(path: string) {
    super(`${path} changed during the revision`)
    this.path = path
  }
}

/** An option of the graph, and what it is told from others by. */
export interface GraphOption {
  readonly value: unknown
  readonly fingerprint: string
}

/** What a revision looks at. */
export interface World {
  readonly files: FileTable
  readonly durable: DurableInputs
  /** As they were when the revision began. */
  readonly options: ReadonlyMap<string, GraphOption>
  /** As they are now. */
  currentOptions(): ReadonlyMap<string, GraphOption>
  /** Secret under which variables are hashed. */
  readonly environmentKey: string
  /** Of the look before: arrays of that length need not grow. Benchmark case: files "edit to answer in 10,000 files". */
  readonly expected: { vouched: number }
}

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
  readonly #kinds = new Map<string, PathKind>()
  readonly #lists = new Map<string, FolderList>()
  readonly #globs = new Map<string, readonly string[]>()
  readonly #links = new Map<string, string>()
  readonly #env = new Map<string, string | undefined>()
  /** Fingerprints of the options that were asked for. */
  readonly #options = new Map<string, string>()
  /** Of durable folders, when it began. */
  readonly durableEpoch: number
  /** A file that changed, once one did. */
  conflict: string | undefined
  /** Whether something could not be told for want of a descriptor, so that another look later may tell more. */
  starved = false

  constructor(world: World, startedAt: number) {
    this.#world = world
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
    if (kind === 'env') return this.#envFingerprint(name, saltOf(fingerprint)) === fingerprint
    return this.#unlessUnknown(() => this.fingerprint(kind, name)) === fingerprint
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

  /** What is under a path. */
  kind(path: string): PathKind {
    return this.#of(this.#kinds, path, () => this.#world.files.kindSync(path))
  }

  /** @throws {FileReadError} */
  list(path: string): FolderList {
    return this.#of(this.#lists, path, () => this.#world.files.folderSync(path))
  }

  /** @throws {FileReadError} for a folder on the way */
  glob(pattern: string): readonly string[] {
    return this.#of(this.#globs, pattern, () => globSync(this.#world.files, pattern))
  }

  /** The path with all links followed; empty if nothing is there. */
  realPath(path: string): string {
    return this.#of(this.#links, path, () => realPath(path))
  }

  env(name: string): string | undefined {
    if (!this.#env.has(name)) this.#env.set(name, variable(name))
    return this.#env.get(name)
  }

  option(name: string): unknown {
    return this.#world.options.get(name)?.value
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
    for (const [path, kind] of this.#kinds) if (files.kindSync(path) !== kind) return path
    for (const [path, list] of this.#lists) {
      const now = this.#unlessUnknown(() => files.folderSync(path))
      if (now === undefined || !sameList(now, list)) return path
    }
    for (const [pattern, paths] of this.#globs) {
      const found = this.#unlessUnknown(() => globSync(files, pattern))
      if (found === undefined || namesFingerprint(found) !== namesFingerprint(paths)) return pattern
    }
    for (const [path, target] of this.#links) if (realPath(path) !== target) return path
    for (const [name, value] of this.#env) if (variable(name) !== value) return name
    const options = this.#world.currentOptions()
    if (options !== this.#world.options) {
      for (const [name, seen] of this.#options)
        if (optionFingerprint(options, name) !== seen) return name
    }
    const checked = this.#unlessUnknown(() => durable.check())
    return Object.is(checked, this.durableEpoch) ? undefined : durable.cause
  }

  #look(kind: InputKind, name: string): string {
    switch (kind) {
      case 'file':
        return fingerprintOf(this.#file(name))
      case 'kind':
        return this.kind(name)
      case 'list':
        return listFingerprint(this.list(name))
      case 'glob':
        return namesFingerprint(this.glob(name))
      case 'realPath':
        return this.realPath(name)
      case 'env':
        return environmentFingerprint(this.env(name), this.#world.environmentKey)
      case 'option':
        return this.#option(name)
      case 'untracked':
        return ''
    }
  }

  #envFingerprint(name: string, salt: string): string {
    const value = this.env(name)
    return environmentFingerprint(value, this.#world.environmentKey, salt)
  }

  #option(name: string): string {
    const fingerprint = optionFingerprint(this.#world.options, name)
    this.#options.set(name, fingerprint)
    return fingerprint
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

  #of<K, V>(map: Map<K, V>, name: K, look: () => V): V {
    let state = map.get(name)
    if (state === undefined) {
      try {
        state = look()
      } catch (error) {
        this.#missed(error)
        throw error
      }
      map.set(name, state)
    }
    return state
  }

  /** The present state of a file; `undefined` if it changes all the while. */
  #currentState(path: string): FileState | undefined {
    try {
      return this.#world.files.knownSync(path)
    } catch (error) {
      this.#missed(error)
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

  /** What a look finds; `undefined` where it cannot tell, which is like nothing that was found before. */
  #unlessUnknown<T>(look: () => T): T | undefined {
    try {
      return look()
    } catch (error) {
      this.#missed(error)
      if (error instanceof FileReadError) return undefined
      throw error
    }
  }

  #missed(error: unknown): void {
    this.starved ||= isStarved(error)
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

function optionFingerprint(options: ReadonlyMap<string, GraphOption>, name: string): string {
  return options.get(name)?.fingerprint ?? 'unset'
}

/** The value of an environment variable. What every object inherits is none. */
function variable(name: string): string | undefined {
  return Object.hasOwn(process.env, name) ? process.env[name] : undefined
}
