import { type Case, defineCase } from '../../define.ts'
import { lruCache, lruCacheExact, millrace, millraceTurnClock } from './contenders/caches.ts'
import { type CompanyResult, checkCompany, inCompany } from './workloads/in-company.ts'

const quickRounds = 1
const minute = 60_000

/** What a hit and a miss cost in a process that has other caches as well, as every service has. */
export const companyCases: Case[] = [
  defineCase<CompanyResult>({
    name: 'in company, Zipf get-or-set',
    description:
      '`get`, and `set` on a miss, of 200,000 key strings built from ids by a Zipf law in a cache of 20,000, while eight caches of ours and five of lru-cache, of other keys, policies and lifetimes, are used in turn; only the one in question is timed, the making of its keys included',
    unit: 'ns/op',
    quickRounds,
    goal: { 'lru-cache': 1.25 },
    ours: inCompany(millrace('adaptive')),
    peers: { 'lru-cache': inCompany(lruCache) },
    check: checkCompany,
  }),
  defineCase<CompanyResult>({
    name: 'in company, Zipf get-or-set, sieve',
    description: 'the same with the policy `sieve`',
    unit: 'ns/op',
    quickRounds,
    goal: { 'lru-cache': 1.5 },
    ours: inCompany(millrace('sieve')),
    peers: { 'lru-cache': inCompany(lruCache) },
    check: checkCompany,
  }),
  defineCase<CompanyResult>({
    name: 'in company, Zipf get-or-set with TTL',
    description:
      'the same with a time to live of a minute, the clock read for each hit; lru-cache’s default reads it once per ms',
    unit: 'ns/op',
    quickRounds,
    goal: { 'lru-cache, ttlResolution 0': 1.25 },
    ours: inCompany(millrace('adaptive'), minute),
    peers: {
      'lru-cache, ttlResolution 0': inCompany(lruCacheExact, minute),
      'lru-cache': inCompany(lruCache, minute),
    },
    check: checkCompany,
  }),
  defineCase<CompanyResult>({
    name: 'in company, Zipf get-or-set with TTL, turnClock',
    description: 'the same with a clock read once per run of code',
    unit: 'ns/op',
    quickRounds,
    goal: { 'lru-cache': 1.25 },
    ours: inCompany(millraceTurnClock, minute),
    peers: { 'lru-cache': inCompany(lruCache, minute) },
    check: checkCompany,
  }),
]
