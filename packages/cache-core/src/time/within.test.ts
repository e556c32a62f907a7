import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { BlockedClock } from './blocked-clock.fixture.ts'
import { type TimeLimit, within } from './within.ts'

describe('a call with a time limit, on a thread that was blocked', () => {
  const limitOn = (clock: BlockedClock): TimeLimit => ({
    clock,
    timeout: 100,
    expired: timeout => new Error(`late after ${timeout}`),
  })

  test('takes an answer that could not be read meanwhile', async () => {
    const clock = new BlockedClock()
    const { promise, resolve } = Promise.withResolvers<string>()
    const answer = within(limitOn(clock), () => promise)
    clock.block(300)
    resolve('in the socket')
    expect(await answer).toBe('in the socket')
    expect(clock.pending).toBe(0)
  })

  test.each([
    [130, 30],
    [100_000, 100],
  ])('waits on once, blocked for %i ms, for %i ms', async (blocked, grace) => {
    const clock = new BlockedClock()
    const answer = within(limitOn(clock), () => new Promise(() => {}))
    let failed = false
    answer.catch(() => {
      failed = true
    })
    clock.block(blocked)
    clock.block(grace - 1)
    await Promise.resolve()
    expect(failed).toBe(false)
    clock.block(500)
    await expect(answer).rejects.toThrow('late after 100')
    expect(clock.pending).toBe(0)
  })

  test('gives up in time where it is merely busy', async () => {
    const clock = new BlockedClock()
    const answer = within(limitOn(clock), () => new Promise(() => {}))
    clock.block(105)
    await expect(answer).rejects.toThrow('late after 100')
  })
})

test('a process that only awaits stores which never answer is told so before it ends', async () => {
  const script = join(import.meta.dirname, '../tiered/hung-store.fixture.ts')
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--conditions=millrace-source',
    script,
  ])
  expect(stdout).toBe('ERR_MILLRACE_STORE_TIMEOUT\n'.repeat(3))
})
