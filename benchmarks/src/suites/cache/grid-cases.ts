import type { PolicyName } from '@millrace/cache-core/policies'
import { type Case, defineCase } from '../../define.ts'
import { bareMap, lruCache, millrace } from './contenders/caches.ts'
import { type ChurnResult, checkChurn, churn } from './workloads/churn.ts'
import { checkGetOrSet, type GetOrSetResult, getOrSet } from './workloads/get-or-set.ts'
import { checkHit, hit } from './workloads/hit.ts'
import type { Shape } from './workloads/keys.ts'

const minute = 60_000

/** One round each in a short run: there are many. A million integers, which take seconds to fill, are for full runs. */
const quickRoundsOf = ({ entries, kind }: Shape): number =>
  entries === 1_000_000 && kind === 'integers' ? 0 : 1

/** Sizes and kinds of keys beside the usual one of 10,000 strings. */
const shapes: readonly Shape[] = [
  { entries: 1_000, kind: 'strings' },
  { entries: 1_000_000, kind: 'strings' },
  { entries: 1_000, kind: 'integers' },
  { entries: 10_000, kind: 'integers' },
  { entries: 1_000_000, kind: 'integers' },
]

/** The cases of the suite against lru-cache alone, over sizes and kinds of keys. */
export const gridCases: Case[] = shapes.flatMap(shape => [
  hits(shape),
  hitsWithTtl(shape),
  mixed(shape, 'adaptive', 1.3),
  mixed(shape, 'sieve', 1.6),
  churned(shape, 'adaptive', 0.9),
  churned(shape, 'sieve', 1.15),
])

function label({ entries, kind }: Shape): string {
  return `${entries.toLocaleString('en-US')} ${kind}`
}

function hits(shape: Shape): Case {
  return defineCase<number>({
    name: `hit, ${label(shape)}`,
    description: `the hits of another cache: ${label(shape)}`,
    unit: 'ns/op',
    quickRounds: quickRoundsOf(shape),
    goal: { 'lru-cache': 1.9, 'Map.get': 1 / 1.1 },
    ours: hit(millrace('adaptive'), {}, shape),
    peers: { 'lru-cache': hit(lruCache, {}, shape), 'Map.get': hit(bareMap, {}, shape) },
    check: checkHit(shape),
  })
}

function hitsWithTtl(shape: Shape): Case {
  return defineCase<number>({
    name: `hit with TTL, ${label(shape)}`,
    description: 'the same with a time to live of a minute on every entry',
    unit: 'ns/op',
    quickRounds: quickRoundsOf(shape),
    goal: { 'lru-cache': 2.2 },
    ours: hit(millrace('adaptive'), { ttl: minute }, shape),
    peers: { 'lru-cache': hit(lruCache, { ttl: minute }, shape) },
    check: checkHit(shape),
  })
}

function mixed(shape: Shape, policy: PolicyName, goal: number): Case {
  return defineCase<GetOrSetResult>({
    name: `Zipf get-or-set, ${policy}, ${label(shape)}`,
    description: 'reads by a Zipf law, and `set` on a miss',
    unit: 'ns/op',
    quickRounds: quickRoundsOf(shape),
    goal,
    ours: getOrSet(millrace(policy), shape),
    peers: { 'lru-cache': getOrSet(lruCache, shape) },
    check: checkGetOrSet,
  })
}

function churned(shape: Shape, policy: PolicyName, goal: number): Case {
  return defineCase<ChurnResult>({
    name: `churn, ${policy}, ${label(shape)}`,
    description: 'sets of keys that are not held in a full cache: every one evicts',
    unit: 'ns/op',
    quickRounds: quickRoundsOf(shape),
    goal,
    ours: churn(millrace(policy), shape),
    peers: { 'lru-cache': churn(lruCache, shape) },
    check: checkChurn(shape),
  })
}
