import { once } from 'node:events'
import { createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { MemoryExporter } from '../export/memory-exporter.ts'
import { Tracer } from '../tracer/tracer.ts'
import { extract, inject } from './carrier.ts'

/**
 * The 41 cases of https://github.com/w3c/trace-context (test/test.py) at specification level 2 and strictness 2, over real
 * HTTP: a service takes the headers as Node gives them, opens a span and answers with what it would send on.
 */
const tracer = new Tracer({ exporter: new MemoryExporter(), signals: [] })
let server: Server

beforeAll(async () => {
  server = createServer((incoming, response) => {
    tracer.span('request', { parent: extract(incoming.headers) }, () => {
      const calls = Array.from({ length: 3 }, (_, i) =>
        tracer.span(`call ${i}`, () => {
          const headers: Record<string, string> = {}
          inject(headers)
          return headers
        }),
      )
      response.end(JSON.stringify(calls))
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
})

afterAll(async () => {
  server.close()
  await tracer.close()
})

type HeaderPairs = readonly (readonly [name: string, value: string])[]
interface Sent {
  traceId: string
  spanId: string
  flags: number
  state: string
  members: Record<string, string>
}

async function calls(headers: HeaderPairs): Promise<Sent[]> {
  const { port } = server.address() as AddressInfo
  const outgoing = request({
    host: '127.0.0.1',
    port,
    headers: ['host', 'x', ...headers.flat()] as never,
  })
  outgoing.end()
  const [response] = await once(outgoing, 'response')
  const sent = JSON.parse(await text(response)) as { traceparent: string; tracestate?: string }[]
  return sent.map(({ traceparent, tracestate = '' }) => {
    expect(traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/)
    const [, traceId, spanId, flags] = traceparent.split('-')
    const members = tracestate
      .split(',')
      .map(member => member.trim())
      .filter(member => member !== '')
      .map(member => member.split(/=(.*)/s).slice(0, 2))
    return {
      traceId: traceId!,
      spanId: spanId!,
      flags: Number.parseInt(flags!, 16),
      state: tracestate,
      members: Object.fromEntries(members),
    }
  })
}

const TRACE = '12345678901234567890123456789012'
const SPAN = '1234567890123456'
const parent = (value: string): [string, string] => ['traceparent', value]
const state = (value: string): [string, string] => ['tracestate', value]
const valid = parent(`00-${TRACE}-${SPAN}-00`)
const sampled = `00-${TRACE}-${SPAN}-01`

/** Cases by the name of the suite: headers after which the trace goes on, or a new one begins. */
const traceparents: Record<string, { continues?: HeaderPairs[]; restarts?: HeaderPairs[] }> = {
  both_traceparent_and_tracestate_missing: { restarts: [[]] },
  traceparent_included_tracestate_missing: { continues: [[parent(sampled)]] },
  traceparent_duplicated: {
    restarts: [[parent(`00-12345678901234567890123456789011-${SPAN}-01`), parent(sampled)]],
  },
  traceparent_header_name: { restarts: [[['trace-parent', sampled]], [['trace.parent', sampled]]] },
  traceparent_header_name_valid_casing: {
    continues: [[['TraceParent', sampled]], [['TrAcEpArEnT', sampled]], [['TRACEPARENT', sampled]]],
  },
  traceparent_version_0x00: {
    restarts: [[parent(`${sampled}.`)], [parent(`${sampled}-what-the-future-will-be-like`)]],
  },
  traceparent_version_0xcc: {
    continues: [
      [parent(`cc-${TRACE}-${SPAN}-01`)],
      [parent(`cc-${TRACE}-${SPAN}-01-what-the-future-will-be-like`)],
    ],
    restarts: [[parent(`cc-${TRACE}-${SPAN}-01.what-the-future-will-be-like`)]],
  },
  traceparent_version_0xff: { restarts: [[parent(`ff-${TRACE}-${SPAN}-01`)]] },
  traceparent_version_illegal_characters: {
    restarts: [[parent(`.0-${TRACE}-${SPAN}-01`)], [parent(`0.-${TRACE}-${SPAN}-01`)]],
  },
  traceparent_version_too_long: {
    restarts: [[parent(`000-${TRACE}-${SPAN}-01`)], [parent(`0000-${TRACE}-${SPAN}-01`)]],
  },
  traceparent_version_too_short: { restarts: [[parent(`0-${TRACE}-${SPAN}-01`)]] },
  traceparent_trace_id_all_zero: { restarts: [[parent(`00-${'0'.repeat(32)}-${SPAN}-01`)]] },
  traceparent_trace_id_illegal_characters: {
    restarts: [
      [parent(`00-.${TRACE.slice(1)}-${SPAN}-01`)],
      [parent(`00-${TRACE.slice(0, 31)}.-${SPAN}-01`)],
    ],
  },
  traceparent_trace_id_too_long: { restarts: [[parent(`00-${TRACE}3-${SPAN}-01`)]] },
  traceparent_trace_id_too_short: { restarts: [[parent(`00-${TRACE.slice(0, 31)}-${SPAN}-01`)]] },
  traceparent_parent_id_all_zero: { restarts: [[parent(`00-${TRACE}-${'0'.repeat(16)}-01`)]] },
  traceparent_parent_id_illegal_characters: {
    restarts: [
      [parent(`00-${TRACE}-.${SPAN.slice(1)}-01`)],
      [parent(`00-${TRACE}-${SPAN.slice(0, 15)}.-01`)],
    ],
  },
  traceparent_parent_id_too_long: { restarts: [[parent(`00-${TRACE}-${SPAN}7-01`)]] },
  traceparent_parent_id_too_short: { restarts: [[parent(`00-${TRACE}-${SPAN.slice(1)}-01`)]] },
  traceparent_trace_flags_illegal_characters: {
    restarts: [[parent(`00-${TRACE}-${SPAN}-.0`)], [parent(`00-${TRACE}-${SPAN}-0.`)]],
  },
  traceparent_trace_flags_too_long: { restarts: [[parent(`00-${TRACE}-${SPAN}-001`)]] },
  traceparent_trace_flags_too_short: { restarts: [[parent(`00-${TRACE}-${SPAN}-1`)]] },
  traceparent_ows_handling: {
    continues: [
      ` ${sampled}`,
      `\t${sampled}`,
      `${sampled} `,
      `${sampled}\t`,
      `\t ${sampled} \t`,
    ].map(value => [parent(value)]),
  },
}

const many = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, i) => {
    const n = String(from + i).padStart(2, '0')
    return `bar${n}=${n}`
  }).join(',')
const allowedKey = 'abcdefghijklmnopqrstuvwxyz0123456789_-*/'
const allowedValue = String.fromCharCode(...Array.from({ length: 95 }, (_, i) => 0x20 + i)).replace(
  /[,=]/g,
  '',
)

/** Cases by the name of the suite: headers, and the members that are sent on (none where the header is void). */
const tracestates: Record<string, [headers: HeaderPairs, members: Record<string, string>][]> = {
  tracestate_included_traceparent_included: [
    [[valid, state('foo=1,bar=2')], { foo: '1', bar: '2' }],
  ],
  tracestate_header_name: [
    [[valid, ['trace-state', 'foo=1']], {}],
    [[valid, ['trace.state', 'foo=1']], {}],
  ],
  tracestate_header_name_valid_casing: ['TraceState', 'TrAcEsTaTe', 'TRACESTATE'].map(name => [
    [valid, [name, 'foo=1']],
    { foo: '1' },
  ]),
  tracestate_empty_header: [
    [[valid, state('')], {}],
    [[valid, state('foo=1'), state('')], { foo: '1' }],
    [[valid, state(''), state('foo=1')], { foo: '1' }],
  ],
  tracestate_multiple_headers_different_keys: [
    [
      [valid, state('foo=1,bar=2'), state('rojo=1,congo=2'), state('baz=3')],
      { foo: '1', bar: '2', rojo: '1', congo: '2', baz: '3' },
    ],
  ],
  tracestate_duplicated_keys: [
    [[valid, state('foo=1,foo=1')], { foo: '1' }],
    [[valid, state('foo=1'), state('foo=1')], { foo: '1' }],
  ],
  tracestate_all_allowed_characters: [
    [[valid, state(`${allowedKey}=${allowedValue}`)], { [allowedKey]: allowedValue }],
    [
      [valid, state(`${allowedKey}@a-z0-9_-*/=${allowedValue}`)],
      { [`${allowedKey}@a-z0-9_-*/`]: allowedValue },
    ],
  ],
  tracestate_ows_handling: [
    [[valid, state('foo=1 \t , \t bar=2, \t baz=3')], { foo: '1', bar: '2', baz: '3' }],
    [[valid, state('foo=1\t \t,\t \tbar=2,\t \tbaz=3')], { foo: '1', bar: '2', baz: '3' }],
    ...[' foo=1', '\tfoo=1', 'foo=1 ', 'foo=1\t', '\t foo=1 \t'].map(
      (value): [HeaderPairs, Record<string, string>] => [[valid, state(value)], { foo: '1' }],
    ),
  ],
  tracestate_key_illegal_characters: ['foo =1', 'FOO=1', 'foo.bar=1'].map(value => [
    [valid, state(value)],
    {},
  ]),
  tracestate_key_illegal_vendor_format: [
    [[valid, state('foo@=1,bar=2')], { 'foo@': '1', bar: '2' }],
    [[valid, state('@foo=1,bar=2')], {}],
    [[valid, state('foo@@bar=1,bar=2')], { 'foo@@bar': '1', bar: '2' }],
    [[valid, state('foo@bar@baz=1,bar=2')], { 'foo@bar@baz': '1', bar: '2' }],
  ],
  tracestate_member_count_limit: [
    [
      [valid, state(many(1, 10)), state(many(11, 20)), state(many(21, 30)), state(many(31, 32))],
      Object.fromEntries(
        many(1, 32)
          .split(',')
          .map(member => member.split('=')),
      ),
    ],
    [
      [valid, state(many(1, 10)), state(many(11, 20)), state(many(21, 30)), state(many(31, 33))],
      {},
    ],
  ],
  tracestate_key_length_limit: [
    ...[
      'z'.repeat(256),
      `${'t'.repeat(241)}@${'v'.repeat(14)}`,
      `${'t'.repeat(242)}@v`,
      `t@${'v'.repeat(15)}`,
    ].map((key): [HeaderPairs, Record<string, string>] => [
      [valid, state('foo=1'), state(`${key}=1`)],
      { foo: '1', [key]: '1' },
    ]),
    [[valid, state('foo=1'), state(`${'z'.repeat(257)}=1`)], {}],
  ],
  tracestate_value_illegal_characters: [
    [[valid, state('foo=bar=baz')], {}],
    [[valid, state('foo=,bar=3')], {}],
  ],
}

describe('W3C trace context, level 2', () => {
  test.each(Object.entries(traceparents))('%s', async (_, { continues = [], restarts = [] }) => {
    for (const headers of continues) {
      const [sent] = await calls(headers)
      expect(sent?.traceId).toBe(TRACE)
      expect(sent?.spanId).not.toBe(SPAN)
    }
    for (const headers of restarts) {
      const [sent] = await calls(headers)
      expect(sent?.traceId).not.toMatch(/^0+$/)
      expect(headers.flat().join()).not.toContain(sent?.traceId)
      expect(sent?.flags).toBe(3)
    }
  })

  test('tracestate_included_traceparent_missing', async () => {
    for (const value of ['foo=1', 'foo=1,bar=2']) {
      const [sent] = await calls([state(value)])
      expect(sent?.state).toBe('')
    }
  })

  test.each(Object.entries(tracestates))('%s', async (_, cases) => {
    for (const [headers, members] of cases) {
      const [sent] = await calls(headers)
      expect(sent?.traceId).toBe(TRACE)
      expect(sent?.members).toEqual(members)
      expect(Object.keys(sent!.members)).toEqual(Object.keys(members))
    }
  })

  test('multiple_requests_with_valid_traceparent', async () => {
    const sent = await calls([parent(sampled)])
    expect(new Set(sent.map(call => call.traceId))).toEqual(new Set([TRACE]))
    expect(new Set(sent.map(call => call.spanId)).size).toBe(3)
  })

  test('multiple_requests_without_traceparent', async () => {
    const sent = await calls([])
    expect(new Set(sent.map(call => call.spanId)).size).toBe(3)
  })

  test('multiple_requests_with_illegal_traceparent', async () => {
    const sent = await calls([parent(`00-${'0'.repeat(32)}-${SPAN}-01`)])
    expect(sent.map(call => call.traceId)).not.toContain('0'.repeat(32))
    expect(new Set(sent.map(call => call.spanId)).size).toBe(3)
  })

  test('propagates_random_flag', async () => {
    const [sent] = await calls([parent(`00-${TRACE}-${SPAN}-02`)])
    expect(sent?.traceId).toBe(TRACE)
    expect(sent!.flags & 2).toBe(2)
  })

  test('there are 41 of them', () => {
    expect(Object.keys(traceparents).length + Object.keys(tracestates).length + 1 + 3 + 1).toBe(41)
  })
})
