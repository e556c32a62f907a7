import type { AnyQuery, Dependency, GraphNode, HeldValue, Part } from './graph-node.ts'
import type { TraceRecord } from './trace-record.ts'

/** The query in whose records a query's results lie, if not in its own. */
export function storedSource({ part, version }: AnyQuery): AnyQuery | undefined {
  return version !== undefined && part?.source.version !== undefined ? part.source : undefined
}

/** The node that a stored part was taken from. */
export function partSource(
  { query }: GraphNode,
  dependencies: readonly Dependency[],
): GraphNode | undefined {
  const source = storedSource(query)
  const node = dependencies.length === 1 ? dependencies[0]!.node : undefined
  return source !== undefined && node?.query === source ? node : undefined
}

/** The part, if it can be taken. */
export function partOf({ of }: Part, whole: unknown): HeldValue | undefined {
  try {
    return { value: of(whole as never) }
  } catch {
    // The query will say so when it is computed.
    return undefined
  }
}

/** The fingerprint of a query's part, as it stands in the record of its source. */
export function partFingerprint(
  { parts }: TraceRecord,
  { name, version }: AnyQuery,
): string | undefined {
  if (!Array.isArray(parts)) return undefined
  const found = parts.find(part => part?.[0] === name && part[1] === version)
  return typeof found?.[2] === 'string' ? found[2] : undefined
}
