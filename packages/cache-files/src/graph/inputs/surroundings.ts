import { FileReadError, isStarved } from '../../errors.ts'
import { type FolderList, sameList } from '../../table/paths/folder-lists.ts'
import type { PathKind } from '../../table/paths/path-kind.ts'
import { globSync } from './glob.ts'
import {
  environmentFingerprint,
  type InputKind,
  listFingerprint,
  namesFingerprint,
  realPath,
} from './input-kinds.ts'
import type { GraphOption, World } from './world.ts'

/** What a revision has looked at besides the contents of files: paths, folders, patterns, links, variables and options, each as it was first found. */
export class Surroundings {
  readonly #world: World
  readonly #kinds = new Map<string, PathKind>()
  readonly #lists = new Map<string, FolderList>()
  readonly #globs = new Map<string, readonly string[]>()
  readonly #links = new Map<string, string>()
  readonly #env = new Map<string, string | undefined>()
  /** Fingerprints of the options that were asked for. */
  readonly #options = new Map<string, string>()
  /** Whether something could not be told for want of a descriptor, so that another look later may tell more. */
  starved = false

  constructor(world: World) {
    this.#world = world
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

  /** @throws {FileReadError} for folders whose names are unknown */
  fingerprint(kind: Exclude<InputKind, 'file'>, name: string): string {
    switch (kind) {
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

  /** The fingerprint of a variable as another process made it. */
  envFingerprint(name: string, salt: string): string {
    return environmentFingerprint(this.env(name), this.#world.environmentKey, salt)
  }

  /** Looks at everything once more. Returns the name of what changed; `undefined` where nothing did. */
  moved(): string | undefined {
    const { files } = this.#world
    for (const [path, kind] of this.#kinds) if (files.kindSync(path) !== kind) return path
    for (const [path, list] of this.#lists) {
      const now = this.unlessUnknown(() => files.folderSync(path))
      if (now === undefined || !sameList(now, list)) return path
    }
    for (const [pattern, paths] of this.#globs) {
      const found = this.unlessUnknown(() => globSync(files, pattern))
      if (found === undefined || namesFingerprint(found) !== namesFingerprint(paths)) return pattern
    }
    for (const [path, target] of this.#links) if (realPath(path) !== target) return path
    for (const [name, value] of this.#env) if (variable(name) !== value) return name
    const options = this.#world.currentOptions()
    if (options === this.#world.options) return undefined
    for (const [name, seen] of this.#options) {
      if (optionFingerprint(options, name) !== seen) return name
    }
    return undefined
  }

  /** What a look finds; `undefined` where it cannot tell, which is like nothing that was found before. */
  unlessUnknown<T>(look: () => T): T | undefined {
    try {
      return look()
    } catch (error) {
      this.missed(error)
      if (error instanceof FileReadError) return undefined
      throw error
    }
  }

  /** Notes why something could not be told. */
  missed(error: unknown): void {
    this.starved ||= isStarved(error)
  }

  #option(name: string): string {
    const fingerprint = optionFingerprint(this.#world.options, name)
    this.#options.set(name, fingerprint)
    return fingerprint
  }

  #of<K, V>(map: Map<K, V>, name: K, look: () => V): V {
    let state = map.get(name)
    if (state === undefined) {
      try {
        state = look()
      } catch (error) {
        this.missed(error)
        throw error
      }
      map.set(name, state)
    }
    return state
  }
}

function optionFingerprint(options: ReadonlyMap<string, GraphOption>, name: string): string {
  return options.get(name)?.fingerprint ?? 'unset'
}

/** The value of an environment variable. What every object inherits is none. */
function variable(name: string): string | undefined {
  return Object.hasOwn(process.env, name) ? process.env[name] : undefined
}
