import { setImmediate as turn } from 'node:timers/promises'
import { VirtualClock } from '@millrace/testkit'
import { describe, expect, test } from 'vitest'
import { FileReadError } from '../../errors.ts'
import { OpenQueue } from './open-queue.ts'

const without = (code: string) => Object.assign(new Error(code), { code })
const starved = () => new FileReadError('/a', 'failed', { cause: without('EMFILE') })

/** Work that ends when it is told to. */
function held() {
  const gate = Promise.withResolvers<void>()
  let begun = false
  const work = () => {
    begun = true
    return gate.promise
  }
  return { work, end: gate.resolve, fail: gate.reject, isBegun: () => begun }
}

describe('OpenQueue', () => {
  test('runs a few at once, and the others in order as places become free', async () => {
    const queue = new OpenQueue()
    const all = Array.from({ length: 40 }, held)
    const runs = all.map(({ work }) => queue.run(work, { timeout: 0 }))
    const begun = () => all.filter(({ isBegun }) => isBegun()).length
    await turn()
    expect(begun()).toBe(32)
    all[5]!.end()
    all[6]!.fail(new Error('no'))
    await expect(runs[6]).rejects.toThrow('no')
    await turn()
    expect([begun(), all[33]!.isBegun(), all[34]!.isBegun()]).toEqual([34, true, false])
    for (const { end } of all) end()
    expect(
      (await Promise.allSettled(runs)).filter(({ status }) => status === 'rejected').length,
    ).toBe(1)
    // Every place is free again.
    const more = Array.from({ length: 33 }, held)
    const later = more.map(({ work }) => queue.run(work, { timeout: 0 }))
    await turn()
    expect(more.filter(({ isBegun }) => isBegun()).length).toBe(32)
    for (const { end } of more) end()
    await Promise.all(later)
  })

  test('one that leaves while it waits is not begun, and keeps nobody else from it', async () => {
    const queue = new OpenQueue()
    const first = Array.from({ length: 32 }, held)
    const runs = first.map(({ work }) => queue.run(work, { timeout: 0 }))
    const [left, next] = [held(), held()]
    const controller = new AbortController()
    const leaving = queue.run(left.work, { timeout: 0, signal: controller.signal })
    const waiting = queue.run(next.work, { timeout: 0 })
    controller.abort(new Error('enough'))
    await expect(leaving).rejects.toThrow('enough')
    first[0]!.end()
    await turn()
    expect([left.isBegun(), next.isBegun()]).toEqual([false, true])
    for (const { end } of [...first, next]) end()
    await Promise.all([...runs, waiting])
  })

  test.each([
    ['the process', () => starved()],
    ['the system', () => without('ENFILE')],
  ])('is repeated until %s has a descriptor', async (_, error) => {
    const clock = new VirtualClock()
    const queue = new OpenQueue(clock)
    let tries = 0
    const run = queue.run(
      async () => {
        if (++tries < 12) throw error()
        return 'read'
      },
      { timeout: 10_000 },
    )
    await clock.advanceAsync(1_000)
    expect(await run).toBe('read')
    expect(tries).toBe(12)
  })

  test('for no longer than the timeout, and what fails otherwise is not repeated', async () => {
    const clock = new VirtualClock()
    const queue = new OpenQueue(clock)
    const ended: string[] = []
    const run = (name: string, error: Error, timeout: number) =>
      queue
        .run(() => Promise.reject(error), { timeout })
        .catch(thrown => {
          expect(thrown).toBe(error)
          ended.push(name)
        })
    const runs = [
      run('starved', starved(), 500),
      run('at once', starved(), 0),
      run('denied', new FileReadError('/a', 'denied', { cause: without('EACCES') }), 500),
    ]
    await turn()
    expect(ended.sort()).toEqual(['at once', 'denied'])
    await clock.advanceAsync(499)
    expect(ended.length).toBe(2)
    await clock.advanceAsync(1)
    expect(ended).toContain('starved')
    await Promise.all(runs)
  })

  test('a repetition that is waited for may be left', async () => {
    const clock = new VirtualClock()
    const controller = new AbortController()
    const run = new OpenQueue(clock).run(() => Promise.reject(starved()), {
      timeout: Infinity,
      signal: controller.signal,
    })
    await turn()
    controller.abort(new Error('enough'))
    await expect(run).rejects.toThrow('enough')
    expect(clock.pending).toBe(0)
  })
})
