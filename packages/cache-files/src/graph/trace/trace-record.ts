import { isAbsolute, sep } from 'node:path'
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
  /** If all it rests on lies in durable folders: which those of the graph were, as another graph may have others. */
  readonly durable?: string | undefined
  /** The root, where a key holds a path or what is outside of it was asked for: elsewhere that is another key, or something else. */
  readonly root?: string | undefined
  /** `[name, version, fingerprint]` of queries for parts of the result. */
  readonly parts?: readonly (readonly string[])[] | undefined
}

/** What traces depend on in a process, and not in another. */
interface TracePlace {
  /** Absolute. */
  readonly root: string
  /** The durable folders. */
  readonly durable: { readonly identity: string }
  /** The node of a query by its name; `undefined` if there is no such query. */
  find(query: string, key: string): GraphNode | undefined
}

/** A trace to be stored. */
interface KeptTrace {
  readonly trace: Trace
  /** The key of its own node. */
  readonly key: string
  /** As in a {@link TraceRecord}. */
  readonly parts: readonly (readonly string[])[]
}

/** Kinds of inputs whose names are paths, or may be. */
const PATH_KINDS: ReadonlySet<string> = new Set<InputKind>([
  'file',
  'kind',
  'list',
  'glob',
  'realPath',
])
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
  { trace, key, parts }: KeptTrace,
  { root, durable }: Pick<TracePlace, 'root' | 'durable'>,
): TraceRecord {
  const near = root.split(sep).slice(0, 3).join(sep)
  let rooted = holdsPath(key, near)
  const steps = trace.dependencies.map(dependency => {
    if (dependency.node !== undefined) {
      const { query, key } = dependency.node
      rooted ||= holdsPath(key, near)
      return ['query', query.name, key, dependency.fingerprint]
    }
    const { kind, name, fingerprint } = dependency
    const path = PATH_KINDS.has(kind) && isAbsolute(name)
    const inside = path && (name === root || name.startsWith(`${root}${sep}`))
    // It may have been named from the root on.
    rooted ||= path && !inside
    return [kind, inside ? name.slice(root.length) : `=${name}`, fingerprint]
  })
  return {
    ...stored,
    trace: steps,
    ...(trace.durable && { durable: durable.identity }),
    ...(rooted && { root }),
    ...(parts.length > 0 && { parts }),
  }
}

/** A separator with nothing before it that a folder's name ends in, or after the letter of a drive; or a step out of a folder. */
const ELSEWHERE = /(?:^|[^\p{L}\p{M}\p{N}._\-)\]}+~$%]|[a-z]:|\.\.)[/\\]/iu

/**
 * Whether a key may hold a path that is another one where the root is, as it is absolute or may lead out of the root and back.
 *
 * @param near how the paths of the tree and its neighbours begin
 */
function holdsPath(key: string, near: string): boolean {
  return key.includes(near) || ELSEWHERE.test(key)
}

/** The trace of a record, or `undefined` if it is none, was made elsewhere, or depends on a query that `find` does not know. */
export function traceOf(
  record: TraceRecord,
  { root, durable, find }: TracePlace,
): Trace | undefined {
  if (typeof record?.fingerprint !== 'string' || !Array.isArray(record.trace)) return undefined
  if (record.root !== undefined && record.root !== root) return undefined
  const dependencies: Dependency[] = []
  for (const step of record.trace) {
    const dependency = Array.isArray(step) ? dependencyOf(step, root, find) : undefined
    if (dependency === undefined) return undefined
    dependencies.push(dependency)
  }
  return {
    fingerprint: record.fingerprint,
    dependencies,
    durable: record.durable === durable.identity,
  }
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
