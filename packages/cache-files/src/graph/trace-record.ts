import type { Dependency, GraphNode } from './graph-node.ts'
import type { InputKind } from './inputs.ts'

/**
 * A result and its trace as a store keeps them. Paths below the root are kept relative to it, so that a checkout may be moved or
 * its cache carried to another machine.
 */
export interface TraceRecord {
  readonly fingerprint: string
  readonly value: unknown
  /** `[kind, name, fingerprint]` of an input, `['query', name, key, fingerprint]` of a query. */
  readonly trace: readonly (readonly string[])[]
}

const pathKinds: ReadonlySet<string> = new Set<InputKind>(['file', 'kind', 'list', 'realPath'])

export function recordOf(node: GraphNode, root: string): TraceRecord {
  const trace = node.trace!.map(dependency => {
    if (dependency.node !== undefined) {
      const { query, key } = dependency.node
      return ['query', query.name, key, dependency.fingerprint]
    }
    const { kind, name, fingerprint } = dependency
    const inside = pathKinds.has(kind) && name.startsWith(`${root}/`)
    return [kind, inside ? name.slice(root.length) : `=${name}`, fingerprint]
  })
  return { fingerprint: node.fingerprint, value: node.held!.value, trace }
}

/** The trace of a record, or `undefined` if it is none, or depends on a query that `find` does not know. */
export function traceOf(
  record: TraceRecord,
  root: string,
  find: (query: string, key: string) => GraphNode | undefined,
): readonly Dependency[] | undefined {
  if (typeof record?.fingerprint !== 'string' || !Array.isArray(record.trace)) return undefined
  const trace: Dependency[] = []
  for (const parts of record.trace) {
    const [kind, name, third, fourth] = parts
    if (kind === 'query') {
      const node = find(name!, third!)
      if (node === undefined || fourth === undefined) return undefined
      trace.push({ node, fingerprint: fourth })
    } else {
      if (name === undefined || third === undefined) return undefined
      const full = name.startsWith('=') ? name.slice(1) : root + name
      trace.push({ node: undefined, kind: kind as InputKind, name: full, fingerprint: third })
    }
  }
  return trace
}
