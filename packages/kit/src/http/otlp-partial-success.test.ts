import { expect, test } from 'vitest'
import { readPartialSuccess } from './otlp-partial-success.ts'

const full = { rejected: 0, message: '' }
const protobuf = (...bytes: number[]) =>
  readPartialSuccess({ headers: {}, body: Uint8Array.of(...bytes) }, 'protobuf', 'rejectedSpans')
const json = (text: string) =>
  readPartialSuccess({ headers: {}, body: Buffer.from(text) }, 'json', 'rejectedSpans')

test('of protobuf: count and message, past fields that it does not know', () => {
  const partial = [0x08, 0x96, 0x01, 0x12, 2, 0x68, 0x69]
  const told = { rejected: 150, message: 'hi' }
  expect(protobuf(0x0a, partial.length, ...partial)).toEqual(told)
  const unknown = [0x19, 1, 2, 3, 4, 5, 6, 7, 8, 0x25, 1, 2, 3, 4, 0x28, 9, 0x32, 1, 0]
  const both = [...unknown, ...partial]
  expect(protobuf(...unknown, 0x0a, both.length, ...both)).toEqual(told)
})

test.each([
  [[]],
  [[0x0a]],
  [[0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f, 1, 2]],
  [[0x0a, 2, 0x08, 0xff]],
  [[0x0a, 3, 0x12, 9, 0x68]],
  [[0x0b, 0x0c]],
  // -1 as 64 bits.
  [[0x0a, 11, 0x08, ...Array(9).fill(0xff), 0x01]],
])('of protobuf that says none: %j', bytes => {
  expect(protobuf(...bytes)).toEqual(full)
})

test('of JSON: counts as strings or numbers, by the name of the signal', () => {
  expect(json('{"partialSuccess":{"rejectedSpans":"3","errorMessage":"old"}}')).toEqual({
    rejected: 3,
    message: 'old',
  })
  expect(json('{"partialSuccess":{"rejectedSpans":4,"rejectedDataPoints":5}}').rejected).toBe(4)
  // Not an integer, as it should be: counts stay whole.
  expect(json('{"partialSuccess":{"rejectedSpans":1.5}}').rejected).toBe(1)
  expect(json('{"partialSuccess":{"rejectedSpans":0.5}}')).toEqual(full)
  const long = JSON.stringify({ partialSuccess: { errorMessage: 'x'.repeat(5_000) } })
  expect(json(long).message).toHaveLength(1_000)
  for (const count of ['-3', '"-3"', '"x"', '[3]', '{}', 'null', 'true', '1e999']) {
    expect(json(`{"partialSuccess":{"rejectedSpans":${count}}}`)).toEqual(full)
  }
  for (const text of ['', 'ok', 'null', '5', '[]', '{}', '{"partialSuccess":null}']) {
    expect(json(text)).toEqual(full)
  }
})

test('goes by what the response says it is, and by the request where it does not', () => {
  const text = Buffer.from('{"partialSuccess":{"rejectedSpans":2,"errorMessage":"old"}}')
  const bytes = Uint8Array.of(0x0a, 5, 0x08, 3, 0x12, 1, 0x78)
  const read = (type: string | undefined, body: Uint8Array, sent: 'json' | 'protobuf') =>
    readPartialSuccess({ headers: { 'content-type': type }, body }, sent, 'rejectedSpans').rejected
  for (const type of ['application/json', 'Application/JSON; charset=utf-8', ' application/json']) {
    expect(read(type, text, 'protobuf')).toBe(2)
  }
  for (const type of ['application/x-protobuf', 'application/protobuf']) {
    expect(read(type, bytes, 'json')).toBe(3)
  }
  for (const type of ['text/plain', '', undefined, 'application/jsonp']) {
    expect(read(type, text, 'json')).toBe(2)
    expect(read(type, bytes, 'protobuf')).toBe(3)
    expect(read(type, text, 'protobuf')).toBe(0)
  }
})
