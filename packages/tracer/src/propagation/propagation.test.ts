import { runs } from '@millrace/testkit'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Baggage } from '../context/baggage.ts'
import { MemoryExporter } from '../export/memory-exporter.ts'
import { W3CTraceState } from '../span/ids/trace-state.ts'
import { Tracer } from '../tracer/tracer.ts'
import { extract, inject } from './carrier.ts'
import { RemoteParent } from './remote-parent.ts'

describe('tracestate', () => {
  test('is sent on as it came while nobody changes it', () => {
    const raw = 'b=2 ,\ta=1,,c=x y'
    expect(new W3CTraceState(raw).serialize()).toBe(raw)
    expect(new W3CTraceState(raw).set('bad key', '1').serialize()).toBe(raw)
    for (const odd of [Symbol('s'), null, { toString: null }, 5n] as never[]) {
      expect(new W3CTraceState(raw).set(odd, '1').set('k', odd).unset(odd).serialize()).toBe(raw)
    }
  })

  test('puts a changed member first and drops the longest when there are too many', () => {
    const state = new W3CTraceState('a=1,b=2')
    expect(state.set('b', '3').serialize()).toBe('b=3,a=1')
    expect(state.unset('a').serialize()).toBe('b=2')
    expect(state.unset('missing')).toBe(state)
    const full = new W3CTraceState(
      [`long=${'x'.repeat(130)}`, ...Array.from({ length: 31 }, (_, i) => `k${i}=${i}`)].join(','),
    )
    const more = full.set('new', '1')
    expect(more.get('long')).toBeUndefined()
    expect(more.get('k30')).toBe('30')
    expect(more.set('newer', '1').get('k30')).toBeUndefined()
  })

  test('one malformed member voids all', () => {
    for (const raw of ['a=1,B=2', 'a', 'a=1,b', 'a=é', 'a=1\r\nx: y']) {
      expect(new W3CTraceState(raw).serialize()).toBe('')
    }
  })
})

describe('baggage', () => {
  test('keeps values and metadata through a header', () => {
    const baggage = Baggage.parse('user=J%C3%BCrgen;ttl=5;flag , empty=, broken, =x')
    expect([...baggage.entries()]).toEqual([
      ['user', { value: 'Jürgen', metadata: 'ttl=5;flag' }],
      ['empty', { value: '' }],
    ])
    expect(baggage.serialize()).toBe('user=J%C3%BCrgen;ttl=5;flag,empty=')
    expect(baggage.set('n', '1').delete('user').serialize()).toBe('empty=,n=1')
  })

  test.each([
    ['100%', '100%'],
    ['%zz', '%zz'],
    ['%4', '%4'],
    ['%41%', 'A%'],
    ['%FF', '\ufffd'],
    ['a%C3b', 'a\ufffdb'],
    ['J%C3%BCrgen%E0%A4%A', 'J\u00fcrgen\ufffd%A'],
    ['%ED%A0%80', '\ufffd\ufffd\ufffd'],
    ['%EF%BB%BFx', '\ufeffx'],
    ['1+1', '1+1'],
  ])('reads %s as the specification has it, losing no member', (sent, value) => {
    const baggage = Baggage.parse(`a=${sent};m, b=2`)
    expect([...baggage.entries()]).toEqual([
      ['a', { value, metadata: 'm' }],
      ['b', { value: '2' }],
    ])
    expect(Baggage.parse(baggage.serialize()).get('a')).toBe(value)
  })

  test('stays within 8192 bytes and 180 members', () => {
    let baggage = new Baggage()
    for (let i = 0; i < 200; i++) baggage = baggage.set(`key${i}`, 'v')
    expect(Baggage.parse(baggage.serialize()).size).toBe(180)
    expect(
      new Baggage([
        ['a', { value: '1' }],
        ['b', { value: 'x'.repeat(9_000) }],
      ]).serialize(),
    ).toBe('a=1')
  })

  test('a header that is too long loses whole members', () => {
    const pad = `p=${'x'.repeat(8_192 - 2 - ',tenant=acme'.length)}`
    const { baggage } = extract({ baggage: `${pad},tenant=acme-production,a=1` })
    expect([...(baggage?.entries() ?? [])].map(([key]) => key)).toEqual(['p'])
    expect(extract({ baggage: `${pad},tenant=acme` }).baggage?.get('tenant')).toBe('acme')
    const sent = new Baggage([
      ['a', { value: '1' }],
      ['b', { value: 'x'.repeat(9_000) }],
      ['c', { value: '2' }],
    ]).serialize()
    expect(sent).toBe('a=1,c=2')
  })

  test('keys of any kind arrive as they were', () => {
    expect(Baggage.parse('user%20id=1,100%=2,a%41=3').serialize()).toBe('user%20id=1,100%=2,a%41=3')
    expect(Baggage.parse('user%20id=1').get('user id')).toBe('1')
    expect(new Baggage().set('', 'x').size).toBe(0)
    const key = fc.oneof(
      fc.string({ minLength: 1 }),
      fc.string({ minLength: 1, unit: 'binary' }),
      fc.stringMatching(/^[%a-c0-2() =,;]{1,8}$/),
    )
    fc.assert(
      fc.property(fc.uniqueArray(fc.tuple(key, fc.string()), { selector: ([k]) => k }), given => {
        const baggage = new Baggage(given.map(([k, value]) => [k, { value }]))
        const header = baggage.serialize()
        expect(header).toMatch(/^[\x21-\x7e]*$/)
        const parsed = Baggage.parse(header)
        expect([...parsed.entries()]).toEqual([...baggage.entries()])
        expect(parsed.serialize()).toBe(header)
      }),
      { numRuns: runs(300) },
    )
  })

  test('is active inside the spans of a remote parent and is sent on', () => {
    const tracer = new Tracer({ exporter: new MemoryExporter(), signals: [] })
    const parent = extract({ baggage: 'tenant=acme' })
    tracer.span('outer', { parent }, () => {
      tracer.span('inner', () => {
        const headers: Record<string, string> = {}
        inject(headers)
        expect(headers.baggage).toBe('tenant=acme')
      })
    })
  })
})

describe('headers from strangers', () => {
  test('never throw, and give a valid parent or none', () => {
    const header = fc.option(
      fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.stringMatching(/^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}.{0,3}$/),
        fc.array(fc.string(), { maxLength: 3 }),
      ),
      { nil: undefined },
    )
    fc.assert(
      fc.property(header, header, header, (traceparent, tracestate, baggage) => {
        const parent = extract({ traceparent, tracestate, baggage })
        expect(parent).toBeInstanceOf(RemoteParent)
        const headers: Record<string, string> = {}
        if (parent.span !== null) inject(headers, parent.span)
        for (const value of Object.values(headers)) expect(value).toMatch(/^[\t\x20-\x7e]*$/)
      }),
      { numRuns: runs(150) },
    )
  })

  test('what is injected is what is extracted', () => {
    const hex = (digits: number) =>
      fc.stringMatching(new RegExp(`^[0-9a-f]{${digits}}$`)).filter(id => !/^0+$/.test(id))
    fc.assert(
      fc.property(
        hex(32),
        hex(16),
        fc.constantFrom('00', '01', '02', '03'),
        (traceId, spanId, flags) => {
          const traceparent = `00-${traceId}-${spanId}-${flags}`
          const headers: Record<string, string> = {}
          inject(headers, extract({ traceparent }).span!)
          expect(headers).toEqual({ traceparent })
        },
      ),
      { numRuns: runs(300) },
    )
  })
})
