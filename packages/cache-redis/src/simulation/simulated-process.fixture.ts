import { EpochTrail } from '../bus/epoch-trail.ts'
import type { ShardMark } from '../protocol/answer.ts'
import { ShardPast } from '../protocol/shard-past.ts'
import type { ModelMessage, ModelOperation, ModelResult } from './model-shard.fixture.ts'

export const KEYS = ['a', 'b', 'c'] as const
export const TAGS: Readonly<Record<string, readonly string[]>> = { a: ['t'], b: ['t', 'u'], c: [] }

/** A value that was changed at the source, and what has to be told about it. */
export interface Change {
  readonly operation: ModelOperation
  /** Versions of the source that the change made. */
  readonly made: ReadonlyMap<string, number>
}

/** A message, and what the server had carried out when it was sent. */
export interface Posted extends ModelMessage {
  readonly known: ReadonlyMap<string, number>
}

/** A process of several: its first tier, and what it knows of the others and of its own failures. */
export class Process {
  readonly l1: Map<string, number> = new Map()
  /** Counts what was invalidated here, by key, so that reads under way are not kept. */
  readonly outdated: Map<string, number> = new Map()
  readonly inbox: Posted[] = []
  readonly trail: EpochTrail = new EpochTrail()
  /** How far it has seen the server. */
  past: ShardPast = new ShardPast()
  /** The newest versions whose invalidations it knows to have been carried out, by that. */
  readonly told: Map<string, number> = new Map()
  /** The oldest version that this process may still serve from its memory. */
  readonly seen: Map<string, number> = new Map()
  /** Invalidations of which no reply came. */
  readonly failed: Change[] = []
  verified = false

  drop(keys: readonly string[]): void {
    for (const key of keys) {
      this.l1.delete(key)
      this.outdated.set(key, (this.outdated.get(key) ?? 0) + 1)
    }
  }

  /**
   * Notes what a reply or a message has said of the server.
   *
   * @param known what the server has carried out until then
   */
  learn(past: ShardPast, mark: ShardMark, known: ReadonlyMap<string, number>): void {
    this.past = past
    if (!past.has(mark)) return
    for (const [key, version] of known) {
      if ((this.told.get(key) ?? 0) < version) this.told.set(key, version)
    }
  }
}

/** Keys that a list of what was missed concerns; all if there is none. */
export function missed(list: ModelResult): readonly string[] {
  if (!Array.isArray(list)) return KEYS
  return (list as readonly string[]).flatMap(noted => {
    const name = noted.slice(1)
    if (noted === 'C' || noted === 'E') return KEYS
    return noted[0] === 'k' ? [name] : KEYS.filter(key => TAGS[key]!.includes(name))
  })
}

/** Keys that an invalidation concerns. */
export function concerned(operation: ModelOperation): readonly string[] {
  if ('key' in operation) return [operation.key]
  if ('tag' in operation) return KEYS.filter(key => TAGS[key]!.includes(operation.tag))
  return KEYS
}
