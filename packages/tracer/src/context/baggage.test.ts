import { describe, expect, test } from 'vitest'
import { Baggage, type BaggageEntry } from './baggage.ts'

const boom = (): never => {
  throw new Error('not to be asked')
}

describe('baggage', () => {
  test('is as it was when it was made, whatever becomes of what it was made of', () => {
    const entry = { value: 'before', metadata: 'm' }
    const value = { toString: () => 'now' }
    const baggage = new Baggage([['a', entry]]).set('b', value as never)
    entry.value = 'after'
    entry.metadata = 'x,y=z'
    value.toString = boom
    expect(baggage.serialize()).toBe('a=before;m,b=now')
    const [[, given]] = [...baggage.entries()] as [[string, { value: string }]]
    expect(() => {
      given.value = 'after'
    }).toThrow(TypeError)
    expect(baggage.get('a')).toBe('before')
  })

  test('leaves out what is no entry, and nothing beside it', () => {
    const baggage = new Baggage([
      ['', { value: 'x' }],
      [5 as never, { value: 'x' }],
      ['none', null as never],
      ['text', 'x' as never],
      ['kept', { value: 'x', metadata: Symbol('m') as never }],
      ['thrown', { value: { toString: boom } as never }],
    ])
    expect([...baggage.entries()]).toEqual([
      ['kept', { value: 'x' }],
      ['thrown', { value: '' }],
    ])
    expect(baggage.serialize()).toBe('kept=x,thrown=')
  })

  test.each([undefined, null, 5, {}, Symbol('s')])('of a header that is %s is empty', header => {
    expect(Baggage.parse(header as never).size).toBe(0)
  })

  test('set and delete make another one', () => {
    const one = new Baggage([['a', { value: '1' }]])
    const two = one.set('b', '2', 'm').delete('a')
    expect([one.serialize(), two.serialize()]).toEqual(['a=1', 'b=2;m'])
    const entries: [string, BaggageEntry][] = [...two.entries()]
    expect(entries).toEqual([['b', { value: '2', metadata: 'm' }]])
  })
})
