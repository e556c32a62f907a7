import assert from 'node:assert/strict'
import { type Case, defineCase, defineSuite, type Prepare } from '../../define.ts'
import type { Paced } from './contenders/accuracy.ts'
import type { SharedRun } from './contenders/shared-rate.ts'

const tryAcquire = () => import('./contenders/try-acquire.ts')
const company = () => import('./contenders/in-company.ts')
const jobs = () => import('./contenders/jobs.ts')
const accuracy = () => import('./contenders/accuracy.ts')
const waiters = () => import('./contenders/waiters.ts')
const sharedRate = () => import('./contenders/shared-rate.ts')

/** Loads a module of contenders in the child that measures it, and picks one. */
function from<M, R>(load: () => Promise<M>, pick: (module: M) => Prepare<R>): Prepare<R> {
  return async context => pick(await load())(context)
}

const calls = 1_000
const sumOfJobs = (calls * (calls - 1)) / 2

function pace(rate: number, peers: ('limiter' | 'bottleneck')[]): Case {
  return defineCase<Paced>({
    name: `rate error at ${rate.toLocaleString('en')}/s`,
    description:
      '200 callers in a closed loop for 5 s, a burst of 1; the first second is not counted',
    unit: '% error',
    better: 'less',
    limit: 1,
    quickRounds: 1,
    ours: from(accuracy, module => module.ours(rate)),
    peers: Object.fromEntries(
      peers.map(peer => [peer, from(accuracy, module => module[peer](rate))]),
    ),
    check: ({ rate: measured, peak, wanted }, contender) => {
      assert.ok(measured > 0)
      // The bound: what 100 ms bring, one of burst, and what the default `catchUp` of 50 ms makes good.
      if (contender === 'ours') assert.ok(peak <= wanted * 0.15 + 2, `${peak} permits in 100 ms`)
    },
  })
}

function share(rate: number): Case {
  return defineCase<SharedRun>({
    name: `rate error of 3 processes at ${rate.toLocaleString('en')}/s`,
    description:
      'Three processes on one Redis, 20 callers each in a closed loop for 5 s; the first second is not counted',
    unit: '% error',
    better: 'less',
    limit: 1,
    quickRounds: 1,
    fixture: async () => (await sharedRate()).startRedis(),
    ours: from(sharedRate, module => module.shared('ours', rate)),
    peers: {
      'ours with leases': from(sharedRate, module => module.shared('ours with leases', rate)),
      bottleneck: from(sharedRate, module => module.shared('bottleneck', rate)),
    },
    check: ({ permits }) => assert.ok(permits > rate / 2),
  })
}

export default defineSuite({
  name: 'limiter',
  description:
    'Medians of 5 rounds, each in a process of its own, ours and the peers in turn. One clock read, about 40 ns where these were taken, ' +
    'is the floor of every `tryAcquire`. Jobs are asynchronous functions that do nothing, 10 at a time.',
  versions: ['limiter', 'rate-limiter-flexible', 'p-queue', 'p-limit', 'bottleneck'],
  headline: /^(tryAcquire by key, passes|jobs, one by one|permits per Redis call at 10,000\/s)$/,
  cases: [
    defineCase<number>({
      name: 'tryAcquire, passes',
      description: 'one bucket that always has tokens',
      unit: 'ns/op',
      quickRounds: 2,
      goal: 1.3,
      ours: from(tryAcquire, module => module.oursPasses),
      peers: { limiter: from(tryAcquire, module => module.limiterPasses) },
      check: passed => assert.equal(passed, calls),
    }),
    defineCase<number>({
      name: 'tryAcquire, refused',
      description: 'one bucket that is empty',
      unit: 'ns/op',
      quickRounds: 2,
      goal: 1.3,
      ours: from(tryAcquire, module => module.oursRefuses),
      peers: { limiter: from(tryAcquire, module => module.limiterRefuses) },
      check: passed => assert.equal(passed, 0),
    }),
    defineCase<number>({
      name: 'tryAcquire by key, passes',
      description: '1,000 keys in turn, all with tokens',
      unit: 'ns/op',
      quickRounds: 2,
      goal: 4,
      ours: from(tryAcquire, module => module.oursKeyedPasses),
      peers: { 'rate-limiter-flexible memory': from(tryAcquire, module => module.flexiblePasses) },
      check: passed => assert.equal(passed, calls),
    }),
    defineCase<number>({
      name: 'tryAcquire by key, refused',
      description: '1,000 keys in turn, none with a token',
      unit: 'ns/op',
      quickRounds: 2,
      goal: 4,
      ours: from(tryAcquire, module => module.oursKeyedRefuses),
      peers: { 'rate-limiter-flexible memory': from(tryAcquire, module => module.flexibleRefuses) },
      check: passed => assert.equal(passed, 0),
    }),
    defineCase<number>({
      name: 'in company, tryAcquire by key, passes',
      description:
        '1,000 keys in turn, all with tokens, while buckets, windows and keyed ones of both libraries are used in turn; only the one in question is timed',
      unit: 'ns/op',
      quickRounds: 2,
      goal: 4,
      ours: from(company, module => module.oursInCompany),
      peers: {
        'rate-limiter-flexible memory': from(company, module => module.flexibleInCompany),
      },
      check: refused => assert.equal(refused, 0),
    }),
    defineCase<number>({
      name: 'jobs, 1,000 at once',
      description: 'Semaphore.run of jobs that all come at once',
      unit: 'us/op',
      quickRounds: 3,
      goal: { 'p-queue': 3, 'p-limit': 1.3, bottleneck: 1_000 },
      ours: from(jobs, module => module.batch.ours),
      peers: {
        'p-queue': from(jobs, module => module.batch['p-queue']),
        'p-limit': from(jobs, module => module.batch['p-limit']),
        bottleneck: from(jobs, module => module.batch.bottleneck),
      },
      check: sum => assert.equal(sum, sumOfJobs),
    }),
    defineCase<number>({
      name: 'jobs, one by one',
      description: 'Semaphore.run of a job that comes when the one before has ended',
      unit: 'us/op',
      quickRounds: 1,
      goal: { 'p-queue': 3, 'p-limit': 1.3, bottleneck: 1_000 },
      ours: from(jobs, module => module.sequence.ours),
      peers: {
        'p-queue': from(jobs, module => module.sequence['p-queue']),
        'p-limit': from(jobs, module => module.sequence['p-limit']),
        bottleneck: from(jobs, module => module.sequence.bottleneck),
      },
      check: sum => assert.equal(sum, sumOfJobs),
    }),
    defineCase<number>({
      name: 'memory of a waiter',
      description: '100,000 callers that wait for a permit; bytes each, with the promise they hold',
      unit: 'bytes/waiter',
      limit: 350,
      quickRounds: 1,
      ours: from(waiters, module => module.tokenBucket),
      peers: {
        limiter: from(waiters, module => module.limiter),
        'p-queue': from(waiters, module => module.pQueue),
        bottleneck: from(waiters, module => module.bottleneck),
      },
      check: held => assert.equal(held, 100_000),
    }),
    pace(100, ['limiter', 'bottleneck']),
    pace(1_000, ['limiter', 'bottleneck']),
    pace(10_000, ['limiter']),
    share(200),
    share(1_000),
    defineCase<SharedRun>({
      name: 'permits per Redis call at 10,000/s',
      description: 'Three processes with leases of 100 ms that want as many permits as there are',
      unit: 'permits/call',
      better: 'more',
      limit: 20,
      quickRounds: 1,
      fixture: async () => (await sharedRate()).startRedis(),
      ours: from(sharedRate, module => module.permitsPerTrip(10_000)),
      peers: {},
      check: ({ rate }) => assert.ok(Math.abs(rate / 10_000 - 1) < 0.05, `${rate}/s`),
    }),
  ],
})
