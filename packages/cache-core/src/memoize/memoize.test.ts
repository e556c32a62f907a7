import { VirtualClock } from '@millrace/testkit'
import { describe, expect, expectTypeOf, it, vi } from 'vitest'
import { InvalidOptionError, UnencodableArgumentError } from '../errors.ts'
import { cached } from './cached.ts'
import { memoize } from './memoize.ts'

describe('memoize', () => {
  it('computes once per distinct arguments and keeps a synchronous function synchronous', () => {
    const add = vi.fn((a: number, b: number) => a + b)
    const memoized = memoize(add)
    expect(memoized(1, 2)).toBe(3)
    expect(memoized(1, 2)).toBe(3)
    expect(memoized(2, 1)).toBe(3)
    expect(add).toHaveBeenCalledTimes(2)
    expect(memoized.cache.stats()).toMatchObject({ hits: 1, misses: 2, loads: 2 })
    expectTypeOf(memoized(1, 2)).toEqualTypeOf<number>()
  })

  it.each<[string, (id: string) => Promise<string>]>([
    ['an async function', async id => id.toUpperCase()],
    ['a function that returns promises', id => Promise.resolve(id.toUpperCase())],
  ])('keeps %s asynchronous, on hits too, and shares one computation', async (_, load) => {
    const calls = vi.fn()
    const memoized = memoize((id: string) => {
      calls()
      return load(id)
    })
    const first = memoized('a')
    expect(first).toBeInstanceOf(Promise)
    expect(await Promise.all([first, memoized('a')])).toEqual(['A', 'A'])
    expect(memoized('a')).toBeInstanceOf(Promise)
    expect(await memoized('a')).toBe('A')
    expect(calls).toHaveBeenCalledTimes(1)
  })

  it('keeps name and length, and passes `this`', () => {
    function greet(this: { name: string }, word: string): string {
      return `${word} ${this.name}`
    }
    const memoized = memoize(greet)
    expect(memoized.name).toBe('greet')
    expect(memoized.length).toBe(1)
    const ann = { name: 'Ann' }
    const bob = { name: 'Bob' }
    expect([memoized.call(ann, 'hi'), memoized.call(bob, 'hi')]).toEqual(['hi Ann', 'hi Bob'])
    ann.name = 'Anna'
    expect(memoized.call(ann, 'hi')).toBe('hi Ann')
    expect(memoized.forget(['hi'], ann)).toBe(true)
    expect(memoized.call(ann, 'hi')).toBe('hi Anna')
  })

  it('never takes one receiver, or a receiver and an argument, for another', () => {
    const calls = vi.fn()
    const memoized = memoize(function (this: unknown, ...args: unknown[]) {
      calls(this, args)
      return calls.mock.calls.length
    })
    const receivers: unknown[] = [undefined, null, 1, '1', 'd1', {}, {}, true, () => {}]
    const lists: unknown[][] = [[], [1], ['1'], ['#1'], ['$1'], [1, 1], ['\u0000@1#1'], [null]]
    for (const receiver of receivers) for (const list of lists) memoized.apply(receiver, list)
    for (const receiver of receivers) for (const list of lists) memoized.apply(receiver, list)
    expect(calls).toHaveBeenCalledTimes(receivers.length * lists.length)
  })

  it('keeps neither failures nor undefined, and keeps null', async () => {
    const sync = vi.fn((value: unknown) => {
      if (value === 'throw') throw new Error('failed')
      return value
    })
    const memoized = memoize(sync)
    expect(() => memoized('throw')).toThrow('failed')
    expect(() => memoized('throw')).toThrow('failed')
    expect([memoized(undefined), memoized(undefined)]).toEqual([undefined, undefined])
    expect([memoized(null), memoized(null)]).toEqual([null, null])
    expect(sync).toHaveBeenCalledTimes(5)

    const async = vi.fn(async (value: unknown) => sync(value))
    const memoizedAsync = memoize(async)
    await expect(memoizedAsync('throw')).rejects.toThrow('failed')
    await expect(memoizedAsync('throw')).rejects.toThrow('failed')
    expect(await memoizedAsync(undefined)).toBeUndefined()
    expect(await memoizedAsync(undefined)).toBeUndefined()
    expect(async).toHaveBeenCalledTimes(4)
  })

  it('takes the options of a cache, a key function and tags', () => {
    const clock = new VirtualClock()
    const load = vi.fn((user: { id: number; org: string }) => user.org)
    const memoized = memoize(load, {
      ttl: 1_000,
      clock,
      key: user => user.id,
      tags: user => [`org:${user.org}`],
    })
    memoized({ id: 1, org: 'a' })
    memoized({ id: 1, org: 'ignored' })
    memoized({ id: 2, org: 'b' })
    expect(load).toHaveBeenCalledTimes(2)
    memoized.cache.deleteTag('org:a')
    memoized({ id: 1, org: 'a' })
    memoized({ id: 2, org: 'b' })
    expect(load).toHaveBeenCalledTimes(3)
    clock.advance(1_000)
    memoized({ id: 2, org: 'b' })
    expect(load).toHaveBeenCalledTimes(4)
  })

  it('does not keep what was forgotten while it was computed', async () => {
    let finish = (_: number): void => {}
    const memoized = memoize((_: string) => new Promise<number>(resolve => (finish = resolve)))
    const first = memoized('a')
    memoized.forget(['a'])
    finish(1)
    expect(await first).toBe(1)
    const second = memoized('a')
    finish(2)
    expect(await second).toBe(2)
  })

  it('stores nothing when switched off', () => {
    const fn = vi.fn((a: number) => a)
    const memoized = memoize(fn, { enabled: false })
    expect([memoized(1), memoized(1)]).toEqual([1, 1])
    expect(fn).toHaveBeenCalledTimes(2)
    expect(memoized.cache.size).toBe(0)
  })

  it('refuses arguments that cannot be part of a key, the way the function fails', async () => {
    const circular: unknown[] = []
    circular.push(circular)
    expect(() => memoize((value: unknown) => value)(circular)).toThrow(UnencodableArgumentError)
    await expect(memoize(async (value: unknown) => value)(() => 1)).rejects.toThrow(
      'Argument 0 contains a function and cannot be part of a cache key; give a `key` function',
    )
  })

  it('refuses options that are none', () => {
    expect(() => memoize('fn' as never)).toThrow(
      'Expected `fn` to be a function, got a string of length 2',
    )
    expect(() => memoize(() => 1, { key: 1 as never })).toThrow('`key`')
    expect(() => memoize(() => 1, { tags: ['a'] as never })).toThrow('`tags`')
    expect(() => memoize(() => 1, { ttl: Number.NaN })).toThrow(InvalidOptionError)
  })
})

describe('@cached', () => {
  it('refuses wrong options at once, not when it wraps', () => {
    for (const options of [
      { maxEntriez: 1 },
      { ttl: -1 },
      { key: 1 },
      { tags: 1 },
      null,
      'x',
      [],
    ]) {
      expect(() => cached(options as never)).toThrow(InvalidOptionError)
    }
  })

  it('memoizes methods for each object apart, within one cache', async () => {
    const calls = vi.fn()
    class Users {
      readonly #org: string
      constructor(org: string) {
        this.#org = org
      }

      @cached({ ttl: 60_000 })
      async name(id: number): Promise<string> {
        calls()
        return `${this.#org}:${id}`
      }

      @cached()
      static count(org: string): number {
        calls()
        return org.length
      }
    }
    const [a, b] = [new Users('a'), new Users('b')]
    expect(await a.name(1)).toBe('a:1')
    expect(await a.name(1)).toBe('a:1')
    expect(await b.name(1)).toBe('b:1')
    expect([Users.count('abc'), Users.count('abc')]).toEqual([3, 3])
    expect(calls).toHaveBeenCalledTimes(3)
    expect(a.name.name).toBe('name')
  })

  it.each([function* () {}, async function* () {}])(
    'refuses generator functions, whose calls would share what can be read once',
    fn => {
      expect(() => memoize(fn)).toThrow('Expected `fn` to be no generator function, got a function')
      expect(() => cached()(fn)).toThrow(InvalidOptionError)
    },
  )

  it('refuses anything but methods', () => {
    expect(() => cached()(() => 1, { kind: 'getter' } as never)).toThrow(
      'Expected `@cached` to be a TC39 decorator of a method, got an object',
    )
  })
})
