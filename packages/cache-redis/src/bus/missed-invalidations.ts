import { originalKey } from '@millrace/cache-core/store'
import type { Invalidation } from '@millrace/cache-core/tiered'
import { type Answer, markOf, type ShardMark } from '../protocol/answer.ts'
import type { ScriptLine } from '../protocol/script-line.ts'

/** What a shard says of what was invalidated since a mark. */
interface Missed {
  /** How far the shard is. */
  readonly mark: ShardMark
  /** Everything that was invalidated since, or `undefined` if the shard does not know it all any more. */
  readonly invalidations: readonly Invalidation[] | undefined
}

/** Asks a shard what was invalidated since a mark, by its journal and its notes. */
export async function missedSince(line: ScriptLine, since: ShardMark): Promise<Missed> {
  const args = ['m', since.epoch, since.incarnation]
  const answer = await line.submit('heartbeat', [], args, 1, 0)
  return { mark: markOf(answer), invalidations: listed(answer) }
}

function listed({ reply, from }: Answer): readonly Invalidation[] | undefined {
  const names = reply[from]
  return Array.isArray(names) ? names.map(name => decode(String(name))) : undefined
}

function decode(noted: string): Invalidation {
  const name = noted.slice(1)
  switch (noted[0]) {
    case 'C':
      return { verb: 'delete', target: 'all', name }
    case 'E':
      return { verb: 'expire', target: 'all', name }
    case 'd':
      return { verb: 'delete', target: 'tag', name: originalKey(name) }
    case 'e':
      return { verb: 'expire', target: 'tag', name: originalKey(name) }
    default:
      // Whether it was deleted, made stale or written anew is not noted.
      return { verb: 'delete', target: 'key', name: originalKey(name) }
  }
}
