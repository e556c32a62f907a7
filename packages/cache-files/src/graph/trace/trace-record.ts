import type { StoredResult } from '../../persist/stored-result.ts'
import type { InputKind } from '../inputs/input-kinds.ts'
import type { Dependency, GraphNode, Trace } from './graph-node.ts'

/**
 * A result and its trace as a store keeps them. Paths below the root are kept relative to it, so that a checkout may be moved or
 * its cache carried to another machine. Values of environment variables are not in it, only salted hashes of them.
 */
export interface TraceRecord extends StoredResult {
  /** `[kind, name, fingerprint]` of an input, `['query', name, key, fingerprint]` of a query. */
  readonly trace: readonly (readonly string[])[]
  readonly durable: boolean
  /** `[name, version, fingerprint]` of queries for parts of the result. */
  readonly parts?: readonly (readonly string[])[] | undefined
}

const PATH_KINDS: ReadonlySet<string> = new Set<InputKind>(['file', 'kind', 'list', 'realPath'])
const KINDS: ReadonlySet<string> = new Set<InputKind>([
  'file',
  'kind',
  'list',
  'glob',
  'realPath',
  'env',
  'option',
  'untracked',
])

export function recordOf(
  stored: StoredResult,
  trace: Trace,
  parts: readonly (readonly string[])[],
  root: string,
): TraceRecord {
  const steps = trace.dependencies.map(dependency => {
    if (dependency.node !== undefined) {
      const { query, key } = dependency.node
      return ['query', query.name, key, dependency.fingerprint]
    }
    const { kind, name, fingerprint } = dependency
    const inside = PATH_KINDS.has(kind) && name.startsWith(`${root}/`)
    return [kind, inside ? name.slice(root.length) : `=${name}`, fingerprint]
  })
  const record = { ...stored, trace: steps, durable: trace.durable }
  return parts.length === 0 ? record : { ...record, parts }
}

/** The trace of a record, or `undefined` if it is none, or depends on a query that `find` does not know. */
export function traceOf(
  record: TraceRecord,
  root: string,
  find: (query: string, key: string) => GraphNode | undefined,
): Trace | undefined {
  if (typeof record?.fingerprint !== 'string' || !Array.isArray(record.trace)) return undefined
  const dependencies: Dependency[] = []
  for (const step of record.trace) {
    const dependency = Array.isArray(step) ? dependencyOf(step, root, find) : undefined
    if (dependency === undefined) return undefined
    dependencies.push(dependency)
  }
  return { fingerprint: record.fingerprint, dependencies, durable: record.durable === true }
}

function dependencyOf(
  step: readonly unknown[],
  root: string,
  find: (query: string, key: string) => GraphNode | undefined,
): Dependency | undefined {
  if (!step.every(part => typeof part === 'string')) return undefined
  const [kind, name, third, fourth] = step
  if (kind === undefined || name === undefined || third === undefined) return undefined
  if (kind === 'query') {
    const node = find(name, third)
    return node && fourth !== undefined ? { node, fingerprint: fourth } : undefined
  }
  if (!KINDS.has(kind)) return undefined
  const full = name.startsWith('=') ? name.slice(1) : root + name
  return {
    node: undefined,
    kind: kind as InputKind,
    name: full,
    fingerprint: third,
    known: undefined,
  }
}
