import { type ChildProcess, fork } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { describeRedis } from '@millrace/testkit/vitest'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Answer, Request } from './limiter-process.fixture.ts'

type Passage = Extract<Answer, { passed: number }>

describeRedis('three processes on one Redis', redis => {
  const children: ChildProcess[] = []
  const asked = new Map<number, () => void>()
  const passages = new Map<number, (passage: Passage) => void>()
  let calls = 0

  beforeAll(async () => {
    const id = randomUUID()
    const fixture = join(import.meta.dirname, 'limiter-process.fixture.ts')
    for (let i = 0; i < 3; i++) {
      const child = fork(fixture, [`${redis.server.port}`, id], {
        execArgv: ['--conditions=millrace-source'],
      })
      children.push(child)
    }
    await Promise.all(children.map(child => once(child, 'message')))
    for (const child of children) {
      child.on('message', (answer: Answer) => {
        if ('asked' in answer) asked.get(answer.call)?.()
        else passages.get(answer.call)?.(answer)
      })
    }
  })
  afterAll(() => {
    for (const child of children) child.disconnect()
  })

  /** Makes a call in a process; `made` when its question has been answered by Redis, `passage` when it is through. */
  function call(child: ChildProcess, limiter: Request['limiter']) {
    const request: Request = { call: calls++, limiter }
    const made = new Promise<void>(resolve => asked.set(request.call, resolve))
    const passage = new Promise<Passage>(resolve => passages.set(request.call, resolve))
    child.send(request)
    return { made, passage }
  }

  /** The monotonic clock that the processes share, in ms. */
  const now = () => Number(process.hrtime.bigint() / 1_000n) / 1_000

  /** Calls of all processes in turn. */
  function callAll(count: number, limiter: Request['limiter']): Promise<Passage[]> {
    const through = Array.from({ length: count }, (_, i) => call(children[i % 3]!, limiter).passage)
    return Promise.all(through)
  }

  function expectOrderWithinProcesses(times: number[]): void {
    for (const child of children.keys()) {
      const own = times.filter((_, i) => i % 3 === child)
      expect(own).toEqual(own.toSorted((a, b) => a - b))
    }
  }

  test.each(['bucket', 'keyed'] as const)(
    '%s: never more than its rate over all processes, in order within each',
    async limiter => {
      const start = now()
      const through: Promise<Passage>[] = []
      for (let i = 0; i < 24; i++) {
        const { made, passage } = call(children[i % 3]!, limiter)
        await made
        through.push(passage)
      }
      const times = (await Promise.all(through)).map(({ passed }) => passed)
      // A process with several calls in line reserves some at a time, so that calls of different processes may change places;
      // slot number k is 20 ms after the one before, whoever has it. A busy machine only makes it later.
      for (const [k, time] of times.toSorted((a, b) => a - b).entries())
        expect(time - start).toBeGreaterThanOrEqual(k * 20 - 1)
      expectOrderWithinProcesses(times)
    },
  )

  test('window: never more than its limit, in order within each process', async () => {
    const start = now()
    const times = (await callAll(30, 'window')).map(({ passed }) => passed)
    const sorted = times.toSorted((a, b) => a - b)
    // Five in any 100 ms: after the first five no sixth within the first 100, and so on.
    for (const [k, time] of sorted.entries()) {
      expect(time - start).toBeGreaterThanOrEqual(Math.floor(k / 5) * 100 - 1)
    }
    expectOrderWithinProcesses(times)
  })

  test('semaphore: one inside at a time, in the order of their fences, and all are served', async () => {
    const visits = (await callAll(30, 'semaphore')).toSorted((a, b) => a.fence - b.fence)
    for (const [i, visit] of visits.slice(1).entries()) {
      expect(visit.fence).toBeGreaterThan(visits[i]!.fence)
      expect(visit.passed).toBeGreaterThanOrEqual(visits[i]!.left)
    }
  })
})
