import { expect, test } from 'vitest'
import { catalogue, findTrace, loadTrace } from './catalogue.ts'
import { arc, int32, oracleGeneral, text } from './formats.ts'

test('an ARC line stands for as many reads as it has blocks', () => {
  const trace = arc('t', Buffer.from('10 3 0 0\n11 2 0 1\n'))
  expect([...trace.ids]).toEqual([0, 1, 2, 1, 2])
  expect(trace.distinct).toBe(3)
})

test('breakpoints and blank lines of a text trace are no reads', () => {
  expect([...text('t', Buffer.from(' 7 \n*\n\n8\r\n7\n')).ids]).toEqual([0, 1, 0])
})

test('a binary trace has a key per four bytes', () => {
  expect([...int32('t', Buffer.from([0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 1])).ids]).toEqual([0, 1, 0])
})

test('oracleGeneral keys differ by their upper half too, and have sizes', () => {
  const bytes = Buffer.alloc(48)
  bytes.writeBigUInt64LE(5n, 4)
  bytes.writeUInt32LE(512, 12)
  bytes.writeBigUInt64LE(5n + (1n << 60n), 28)
  bytes.writeUInt32LE(4096, 36)
  const trace = oracleGeneral('t', bytes)
  expect([...trace.ids]).toEqual([0, 1])
  expect([...trace.sizes!]).toEqual([512, 4096])
})

test('the committed traces have the documented numbers of reads and keys', async () => {
  const source = catalogue.find(({ name }) => name === 'web07')!
  const trace = await loadTrace(source, findTrace(source, '/nowhere')!)
  expect([trace.ids.length, trace.distinct]).toEqual([76_118, 20_484])
})
