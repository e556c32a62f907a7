import { isDeepStrictEqual } from 'node:util'
import { runInNewContext } from 'node:vm'
import { runs } from '@millrace/testkit'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { UnencodableArgumentError } from '../errors.ts'
import { encodeArguments } from './encode-arguments.ts'

const bytes = fc.uint8Array({ maxLength: 4 })

/** Everything encodable, from a small alphabet so that equal and nearly equal values are common. */
const { value: encodable } = fc.letrec<{ value: unknown }>(tie => {
  const text = fc.constantFrom(
    '',
    'a',
    'b',
    '1',
    's1:a',
    '\u0000',
    'n;',
    '[1;',
    'user-Ac',
    'user-BB',
  )
  const members = fc.array(tie('value'), { maxLength: 3 })
  return {
    value: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      text,
      fc.constantFrom<unknown>(
        undefined,
        null,
        true,
        false,
        0,
        -0,
        1,
        1n,
        -1n,
        Number.NaN,
        Infinity,
      ),
      fc.integer({ min: 0, max: 3 }).map(time => new Date(time === 0 ? Number.NaN : time)),
      fc.constantFrom<unknown>(/a/, /a/g, /b/, new URL('http://a/'), new URL('http://a/b')),
      fc
        .constantFrom(Uint8Array, Int8Array, Uint16Array, ArrayBuffer)
        .chain(type =>
          bytes.map(b =>
            type === ArrayBuffer ? b.slice().buffer : new (type as Uint8ArrayConstructor)(b),
          ),
        ),
      bytes.map(b => Buffer.from(b)),
      members,
      fc.tuple(members, fc.nat(2)).map(([array, index]) => {
        const sparse = array.slice()
        delete sparse[index]
        return sparse
      }),
      fc.tuple(members, text).map(([array, name]) => Object.assign(array.slice(), { [name]: 1 })),
      members.map(array => new Set(array)),
      fc.array(fc.tuple(tie('value'), tie('value')), { maxLength: 3 }).map(e => new Map(e)),
      fc.dictionary(text, tie('value'), { maxKeys: 3, noNullPrototype: false }),
    ),
  }
})

const args = fc.array(encodable, { maxLength: 3 })

describe('encodeArguments', () => {
  it('gives two lists one key exactly when they are deeply and strictly equal', () => {
    fc.assert(
      fc.property(args, args, (left, right) => {
        const same = encodeArguments(left) === encodeArguments(right)
        expect(same).toBe(isDeepStrictEqual(left, right))
      }),
      { numRuns: runs(3_000) },
    )
  })

  it('gives a deep copy the same key', () => {
    const copyable = args.filter(list => isDeepStrictEqual(structuredCloneable(list), list))
    fc.assert(
      fc.property(copyable, list => {
        expect(encodeArguments(structuredCloneable(list) as unknown[])).toBe(encodeArguments(list))
      }),
      { numRuns: runs(500) },
    )
  })

  it('returns a lone string or finite number as it is', () => {
    expect(encodeArguments(['user:1'])).toBe('user:1')
    expect(encodeArguments([7])).toBe(7)
    expect(encodeArguments([Infinity])).toBe(Infinity)
    expect(encodeArguments([''])).toBe('')
  })

  it.each<[string, unknown[], unknown[]]>([
    ['the colliding djb2 hashes of other libraries', ['user-Ac'], ['user-BB']],
    ['NaN and null', [Number.NaN], [null]],
    ['an empty Map and an empty object', [new Map()], [{}]],
    ['0 and -0', [0], [-0]],
    ['undefined and no argument', [undefined], []],
    ['a date and its ISO string', [new Date(0)], [new Date(0).toISOString()]],
    ['a number, its string and its bigint', [1], ['1']],
    ['one array and several arguments', [['a', 'b']], ['a', 'b']],
    ['boundaries between strings', ['ab', 'c'], ['a', 'bc']],
    ['a string that spells an encoded key', ['\u0000s1:a'], ['a', undefined]],
    ['a hole and undefined', [new Array(1)], [[undefined]]],
    ['views of different types over equal bytes', [new Uint8Array(2)], [new Int8Array(2)]],
    ['part of a buffer and the whole', [new Uint8Array(4).subarray(1)], [new Uint8Array(4)]],
    ['a missing and an undefined property', [{}], [{ a: undefined }]],
  ])('tells apart %s', (_, left, right) => {
    expect(encodeArguments(left)).not.toBe(encodeArguments(right))
  })

  it('ignores the order of properties, members and entries', () => {
    expect(encodeArguments([{ a: 1, b: 2 }])).toBe(encodeArguments([{ b: 2, a: 1 }]))
    expect(encodeArguments([new Set([1, 2])])).toBe(encodeArguments([new Set([2, 1])]))
    expect(
      encodeArguments([
        new Map([
          [1, 2],
          [3, 4],
        ]),
      ]),
    ).toBe(
      encodeArguments([
        new Map([
          [3, 4],
          [1, 2],
        ]),
      ]),
    )
  })

  it('accepts one object in several places', () => {
    const shared = { a: 1 }
    expect(encodeArguments([[shared, shared]])).toBe(encodeArguments([[{ a: 1 }, { a: 1 }]]))
  })

  it('takes plain objects and lists of another realm as its own, and none of its instances', () => {
    const foreign = (code: string): unknown => runInNewContext(`(${code})`)
    expect(encodeArguments([foreign('{ a: [1, { b: null }] }')])).toBe(
      encodeArguments([{ a: [1, { b: null }] }]),
    )
    expect(refusal([foreign('new Map()')])).toMatchObject({ reason: 'instance' })
    expect(refusal([foreign('new (class Account {})()')])).toMatchObject({ reason: 'instance' })
  })

  it('refuses what it cannot see into, naming the argument', () => {
    class Account {
      #id = 1
      id(): number {
        return this.#id
      }
    }
    const circular: Record<string, unknown> = {}
    circular.self = [circular]
    let deep: unknown = 0
    for (let level = 0; level < 100_000; level++) deep = [deep]

    expect(refusal(['a', () => 1])).toMatchObject({ argument: 1, reason: 'function' })
    expect(refusal([{ a: Symbol('s') }])).toMatchObject({ argument: 0, reason: 'symbol' })
    expect(refusal([{ [Symbol('s')]: 1 }])).toMatchObject({ reason: 'symbol' })
    expect(refusal([circular])).toMatchObject({ reason: 'circular' })
    expect(refusal([deep])).toMatchObject({ reason: 'depth' })
    expect(refusal([new Account()]).message).toBe(
      'Argument 0 contains an instance of Account and cannot be part of a cache key; give a `key` function',
    )
    expect(refusal([Promise.resolve()])).toMatchObject({ reason: 'instance' })
    expect(refusal([new Number(1)])).toMatchObject({ reason: 'instance' })
    expect(refusal([new Uint8Array(new SharedArrayBuffer(1))])).toMatchObject({
      reason: 'instance',
    })
    expect(refusal([Object.assign(new Date(0), { zone: 'UTC' })])).toMatchObject({
      reason: 'instance',
      code: 'ERR_MILLRACE_UNENCODABLE_ARGUMENT',
    })
  })
})

function refusal(list: unknown[]): UnencodableArgumentError {
  try {
    encodeArguments(list)
  } catch (error) {
    expect(error).toBeInstanceOf(UnencodableArgumentError)
    return error as UnencodableArgumentError
  }
  throw new Error('encoded')
}

function structuredCloneable(value: unknown): unknown {
  try {
    return structuredClone(value)
  } catch {
    return undefined
  }
}
