import { channel } from 'node:diagnostics_channel'
import { describe, expect, test } from 'vitest'
import { imitate } from './imitate.ts'
import { OperationChannels, traceOperation } from './operation-channels.ts'
import { isThenable } from './thenable.ts'

describe('imitate', () => {
  test('takes over name, length and own properties, but no prototype', () => {
    const marker = Symbol('marker')
    const wrapped = Object.assign(function load(_a: number, _b: number) {}, {
      cache: new Map(),
      [marker]: 1,
    })
    const wrapper = imitate((..._args: never[]) => {}, wrapped)
    expect([wrapper.name, wrapper.length]).toEqual(['load', 2])
    expect(wrapper.cache).toBe(wrapped.cache)
    expect(wrapper[marker]).toBe(1)
    expect(Object.hasOwn(wrapper, 'prototype')).toBe(false)
  })

  test('lets no caller past the wrapper by what the function has to be called by', () => {
    const own = Object.assign(() => 'bare', { apply: () => 'past', call: 1, bind: () => 'past' })
    const wrapper = imitate(() => 'wrapped', own) as () => string
    expect([wrapper(), wrapper.apply(null), wrapper.call(null), wrapper.bind(null)()]).toEqual(
      Array(4).fill('wrapped'),
    )
  })

  test('has no name and no length where the function has lost them', () => {
    const nameless = function lost(_a: number) {}
    Reflect.deleteProperty(nameless, 'name')
    Reflect.deleteProperty(nameless, 'length')
    const wrapper = imitate(function wrapper(..._args: never[]) {}, nameless)
    expect([wrapper.name, wrapper.length]).toEqual(['', 0])
  })

  test('can be applied to its own result, and to frozen functions', () => {
    const frozen = Object.freeze(Object.assign(() => {}, { tag: 'x' }))
    const once = imitate((..._args: never[]) => {}, frozen)
    const twice = imitate((..._args: never[]) => {}, once)
    expect(twice.tag).toBe('x')
  })
})

describe('isThenable', () => {
  test('tells promises and their like from everything else', () => {
    const withThen = (target: object, descriptor: PropertyDescriptor) =>
      Object.defineProperty(target, 'then', descriptor)
    const method: PropertyDescriptor = { value() {} }
    const throwing: PropertyDescriptor = {
      get() {
        throw new Error('mine')
      },
    }
    const thenables = [Promise.resolve(), withThen({}, method), withThen(() => {}, method)]
    const others = [null, undefined, 1, 'then', {}, withThen({}, { value: 1 }), () => {}]
    expect(thenables.every(isThenable)).toBe(true)
    expect([...others, withThen({}, throwing)].some(isThenable)).toBe(false)
  })
})

describe('OperationChannels', () => {
  test('publish one message on both channels, with the error of what failed', async () => {
    interface Message {
      readonly id: number
      error?: unknown
      ended?: boolean
    }
    const channels = new OperationChannels<Message>('millrace:kit:test')
    expect(channels.hasSubscribers).toBe(false)
    const seen: unknown[] = []
    const onStart = (message: unknown) => seen.push(message)
    const onEnd = (message: unknown) => seen.push({ ...(message as Message) })
    channel('millrace:kit:test:start').subscribe(onStart)
    channel('millrace:kit:test:end').subscribe(onEnd)
    expect(channels.hasSubscribers).toBe(true)
    const settle = (message: Message) => {
      message.ended = true
    }
    await expect(traceOperation(channels, { id: 1 }, async () => 5, settle)).resolves.toBe(5)
    const error = new Error('no')
    const failing = traceOperation(channels, { id: 2 }, () => Promise.reject(error))
    await expect(failing).rejects.toBe(error)
    const throwing = traceOperation(channels, { id: 3 }, () => {
      throw error
    })
    await expect(throwing).rejects.toBe(error)
    expect(seen).toEqual([
      { id: 1, ended: true },
      { id: 1, ended: true },
      { id: 2, error },
      { id: 2, error },
      { id: 3, error },
      { id: 3, error },
    ])
    channel('millrace:kit:test:start').unsubscribe(onStart)
    channel('millrace:kit:test:end').unsubscribe(onEnd)
  })
})
