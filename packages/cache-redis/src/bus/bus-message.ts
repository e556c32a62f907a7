import { originalKey } from '@millrace/cache-core/store'
import type { Invalidation } from '@millrace/cache-core/tiered'

/** What a script call says on the channel of its shard about what it did. */
export interface BusMessage {
  /** Number of the journal's life. */
  readonly incarnation: number
  /** Epoch before the call: who knows this one has missed nothing. */
  readonly before: number
  /** Epoch after it. */
  readonly epoch: number
  /** Who made the call. */
  readonly sender: string
  readonly invalidations: readonly Invalidation[]
}

const FORMAT = 2
const verbs = ['delete', 'expire'] as const
const targets = ['key', 'tag', 'pattern', 'all'] as const

/**
 * The message, or `undefined` if it is none, or of a format that this version does not know. The script writes JSON: `[format,
 * incarnation, before, epoch, sender, verb, target, name, verb, target, name, …]` with verbs and targets by index, names in storable form.
 */
export function decodeMessage(text: string): BusMessage | undefined {
  let parts: unknown
  try {
    parts = JSON.parse(text)
  } catch {
    return undefined
  }
  if (!Array.isArray(parts) || parts[0] !== FORMAT || parts.length % 3 !== 2) return undefined
  const [incarnation, before, epoch] = parts.slice(1, 4).map(Number)
  const sender: unknown = parts[4]
  if (![incarnation, before, epoch].every(Number.isSafeInteger)) return undefined
  if (typeof sender !== 'string') return undefined
  const invalidations: Invalidation[] = []
  for (let index = 5; index < parts.length; index += 3) {
    const verb = verbs[parts[index]]
    const target = targets[parts[index + 1]]
    const name = nameOf(parts[index + 2])
    if (verb === undefined || target === undefined || name === undefined) return undefined
    invalidations.push({ verb, target, name })
  }
  return { incarnation: incarnation!, before: before!, epoch: epoch!, sender, invalidations }
}

function nameOf(stored: unknown): string | undefined {
  if (typeof stored !== 'string') return undefined
  try {
    return originalKey(stored)
  } catch {
    // Not a storable form: the message is none of ours.
    return undefined
  }
}
