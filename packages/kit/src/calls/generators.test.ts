import { describe, expect, test } from 'vitest'
import { isGenerator, isGeneratorFunction, watchGenerator } from './generators.ts'

/** A watch that writes down what it is told. */
function written() {
  const told: unknown[] = []
  return {
    told,
    step<T>(run: () => T): T {
      told.push('step')
      return run()
    },
    done: () => told.push('done'),
    failed: (error: unknown) => told.push(error),
  }
}

const boom = new Error('boom')

function* sync(): Generator<number, string, number | undefined> {
  try {
    const sent = yield 1
    yield (sent ?? 0) + 1
    return 'end'
  } finally {
    yield 99
  }
}

async function* later(): AsyncGenerator<number, string, number | undefined> {
  return yield* sync()
}

describe.each([
  ['a generator', sync],
  ['an asynchronous one', later],
])('%s that is watched', (_, make) => {
  test('is what it was: values, what is sent into it, its class', async () => {
    const watch = written()
    const watched = watchGenerator(make(), watch)
    expect(watched).toBeInstanceOf(make)
    expect([isGenerator(watched), isGeneratorFunction(make)]).toEqual([true, true])
    expect(await watched.next()).toEqual({ value: 1, done: false })
    expect(await watched.next(41)).toEqual({ value: 42, done: false })
    expect(await watched.next()).toEqual({ value: 99, done: false })
    expect(watch.told).toEqual(['step', 'step', 'step'])
    expect(await watched.next()).toEqual({ value: 'end', done: true })
    expect(await watched.next()).toEqual({ value: undefined, done: true })
    expect(watch.told).toEqual(['step', 'step', 'step', 'step', 'done', 'step'])
  })

  test.each(['before its first step', 'midway'])(
    'tells that it was told to return, %s',
    async when => {
      const watch = written()
      const watched = watchGenerator(make(), watch)
      if (when === 'midway') {
        await watched.next()
        expect(await watched.return('early')).toEqual({ value: 99, done: false })
        expect(watch.told).not.toContain('done')
        expect(await watched.next()).toEqual({ value: 'early', done: true })
      } else {
        expect(await watched.return('early')).toEqual({ value: 'early', done: true })
      }
      expect(watch.told.filter(event => event !== 'step')).toEqual(['done'])
    },
  )

  test('fails once, with what was thrown', async () => {
    const watch = written()
    const watched = watchGenerator(make(), watch)
    const thrown = async (error: Error) => await watched.throw(error)
    await expect(thrown(boom)).rejects.toBe(boom)
    await expect(thrown(new Error('again'))).rejects.toThrow('again')
    expect(watch.told).toEqual(['step', boom, 'step'])
  })

  test('ends with a loop that is left', async () => {
    const watch = written()
    for await (const value of watchGenerator(make(), watch)) if (value === 1) break
    // The body yields once more in its `finally`, and is left there.
    expect(watch.told.filter(event => event !== 'step')).toEqual([])
    const helped = written()
    async function* plain() {
      yield* [1, 2]
    }
    for await (const value of watchGenerator(plain(), helped)) if (value === 1) break
    expect(helped.told.at(-1)).toBe('done')
  })
})

test('what only looks like a generator is none', () => {
  const revoked = Proxy.revocable({}, {})
  revoked.revoke()
  const others = [[], new Map().entries(), { next() {} }, revoked.proxy, null, undefined, 1, sync]
  expect(others.map(isGenerator)).toEqual(others.map(() => false))
  expect([isGeneratorFunction(() => 1), isGeneratorFunction(revoked.proxy)]).toEqual([false, false])
})
