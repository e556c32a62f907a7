import { expect, test } from 'vitest'
import { type FinishedSpan, waterfall } from './waterfall.ts'

const span = (
  name: string,
  parent: string | undefined,
  start: number,
  end: number,
): FinishedSpan => ({
  traceId: 't',
  spanId: name,
  parentSpanId: parent,
  name,
  start,
  end,
  failed: name === 'second',
})

test('children stand below their parent, on its time line', () => {
  const lines = waterfall([
    span('second', 'root', 50, 100),
    span('first', 'root', 0, 25),
    span('inner', 'first', 12.5, 25),
    span('root', undefined, 0, 100),
  ])
  expect(lines).toEqual([
    'root               100.0 ms  ▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇',
    '  first             25.0 ms  ▇▇▇▇▇▇▇▇▇▇▇▇',
    '    inner           12.5 ms        ▇▇▇▇▇▇',
    '  second (failed)   50.0 ms                          ▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇',
  ])
})

test('a span whose parent is elsewhere is a root, and one of no length is seen', () => {
  expect(waterfall([span('a', 'gone', 5, 5)])).toEqual(['a  0.0 ms  ▇'])
})
