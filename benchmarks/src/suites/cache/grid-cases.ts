import type { PolicyName } from '@millrace/cache-core/policies'
import { type Case, defineCase } from '../../define.ts'
import { bareMap, lruCache, millrace } from './contenders/caches.ts'
import { hitsWithTtl } from './ttl-cases.ts'
import { type ChurnResult, checkChurn, churn } from './workloads/churn.ts'
import { checkGetOrSet, type GetOrSetResult, getOrSet } from './workloads/get-or-set.ts'
import { checkHit, hit } from './workloads/hit.ts'
import { quickRoundsOf, type Shape, shapeLabel } from './workloads/keys.ts'

/** Sizes and kinds of keys beside the usual one of 10,000 strings. */
const shapes: readonly Shape[] = [
  { entries: 1_000, kind: 'strings' },
  { entries: 1_000_000, kind: 'strings' },
  { entries: 1_000, kind: 'integers' },
  { entries: 10_000, kind: 'integers' },
  { entries: 1_000_000, kind: 'integers' },
]

/** Beyond the caches whose strings once had a table of their own, and below the 32,768 up to which they have one. */
const tabled: Shape = { entries: 20_000, kind: 'strings' }

/** Where the memory's latency is most of the time, and to be as fast as lru-cache is the goal. */
const MANY = 1_000_000
/** Up to so many entries a hit is to cost hardly more than a bare `Map.get`. */
const FEW = 10_000

/** The cases of the suite against lru-cache alone, over sizes and kinds of keys. */
export const gridCases: Case[] = shapes
  .flatMap(shape => [
    hits(shape),
    ...hitsWithTtl(shape),
    mixed(shape, 'adaptive', shape.entries === MANY ? 1 : 1.3),
    mixed(shape, 'sieve', shape.entries === MANY ? 1 : 1.6),
    churned(shape, 'adaptive', 0.9),
    churned(shape, 'sieve', 1.15),
  ])
  .concat(hits(tabled), hits({ ...tabled, anew: true }), churned(tabled, 'adaptive', 0.9))

function hits(shape: Shape): Case {
  return defineCase<number>({
    name: `hit, ${shapeLabel(shape)}`,
    description: `the hits of another cache: ${shapeLabel(shape)}`,
    unit: 'ns/op',
    quickRounds: quickRoundsOf(shape),
    goal: {
      'lru-cache': shape.entries === MANY ? 1 : 1.9,
      ...(shape.entries <= FEW && { 'Map.get': 1 / 1.1 }),
    },
    ours: hit(millrace('adaptive'), {}, shape),
    peers: { 'lru-cache': hit(lruCache, {}, shape), 'Map.get': hit(bareMap, {}, shape) },
    check: checkHit(shape),
  })
}

function mixed(shape: Shape, policy: PolicyName, goal: number): Case {
  return defineCase<GetOrSetResult>({
    name: `Zipf get-or-set, ${policy}, ${shapeLabel(shape)}`,
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
    name: `churn, ${policy}, ${shapeLabel(shape)}`,
    description: 'sets of keys that are not held in a full cache: every one evicts',
    unit: 'ns/op',
    quickRounds: quickRoundsOf(shape),
    goal,
    ours: churn(millrace(policy), shape),
    peers: { 'lru-cache': churn(lruCache, shape) },
    check: checkChurn(shape),
  })
}
