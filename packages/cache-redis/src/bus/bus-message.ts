import type { Invalidation } from '@millrace/cache-core/tiered'

/** What travels on the channel. */
export interface BusMessage {
  /** Random identity of the bus that sent it. */
  readonly sender: string
  /** Number of the message from this sender, from 1 without gaps. */
  readonly sequence: number
  readonly invalidations: readonly Invalidation[]
}

const FORMAT = 1
const verbs = ['delete', 'expire'] as const
const targets = ['key', 'tag', 'pattern', 'all'] as const

/** JSON: `[format, sender, sequence, verb, target, name, verb, target, name, …]` with verbs and targets by index. */
export function encodeMessage({ sender, sequence, invalidations }: BusMessage): string {
  const parts: (string | number)[] = [FORMAT, sender, sequence]
  for (const { verb, target, name } of invalidations) {
    parts.push(verbs.indexOf(verb), targets.indexOf(target), name)
  }
  return JSON.stringify(parts)
}

/** The message, or `undefined` if it is none, or of a format that this version does not know. */
export function decodeMessage(text: string): BusMessage | undefined {
  let parts: unknown
  try {
    parts = JSON.parse(text)
  } catch {
    return undefined
  }
  if (!Array.isArray(parts) || parts[0] !== FORMAT || parts.length % 3 !== 0) return undefined
  const [, sender, sequence] = parts
  if (typeof sender !== 'string' || !Number.isSafeInteger(sequence)) return undefined
  const invalidations: Invalidation[] = []
  for (let index = 3; index < parts.length; index += 3) {
    const verb = verbs[parts[index]]
    const target = targets[parts[index + 1]]
    const name = parts[index + 2]
    if (verb === undefined || target === undefined || typeof name !== 'string') return undefined
    invalidations.push({ verb, target, name })
  }
  return { sender, sequence, invalidations }
}
