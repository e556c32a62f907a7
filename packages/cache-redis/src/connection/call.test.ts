import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { Call, type CallFailure, type CallOwner } from './call.ts'

/** A clock whose timers run when they are told to, and as late as they are told to. */
class LateClock {
  time = 0
  #due: (() => void) | undefined

  now = () => this.time
  setTimer = (callback: () => void) => {
    this.#due = callback
    return { cancel: () => (this.#due = undefined) }
  }
  run(time: number): void {
    this.time = time
    this.#due?.()
  }
}

function start() {
  const clock = new LateClock()
  const failures: CallFailure[] = []
  const answers: string[] = []
  const owner = {
    client: { status: 'ready' } as never,
    clock,
    sessions: 1,
    timeoutFor: () => 100,
    carry: () => undefined,
    onSent: () => undefined,
    onTimeout: () => undefined,
    onSuccess: () => undefined,
    onFailure: () => ({ reason: 'connection', cause: undefined }) as const,
  } satisfies CallOwner
  const call = new Call<string>(owner, errorOf => failures.push(errorOf('get')))
  const reply = Promise.withResolvers<string>()
  const send = () =>
    call.send(
      () => reply.promise,
      answer => answers.push(answer),
    )
  return { clock, failures, answers, call, reply, send }
}

test('a timer that is on time ends the call at once', () => {
  const { clock, failures, send } = start()
  send()
  clock.run(100)
  expect(failures).toMatchObject([{ code: 'ERR_MILLRACE_REDIS_TIMEOUT', timeout: 100 }])
})

test('after an event loop that was held up, an answer that lies there is taken', async () => {
  const { clock, failures, answers, reply, send } = start()
  send()
  clock.run(500)
  reply.resolve('there')
  await nextTurn()
  expect([failures, answers]).toEqual([[], ['there']])
})

test('where no answer lies there, the call ends in the same turn', async () => {
  const { clock, failures, answers, reply, send } = start()
  send()
  clock.run(500)
  await nextTurn()
  reply.resolve('late')
  await nextTurn()
  expect([failures.length, answers]).toEqual([1, []])
})

test('a call that the event loop had no time to send has all its time from then on', () => {
  const { clock, failures, send } = start()
  clock.run(500)
  send()
  expect(failures).toEqual([])
  clock.run(600)
  expect(failures).toHaveLength(1)
})
