import { describe, expect, test } from 'vitest'
import { InvalidOptionError } from './errors.ts'
import { Tracer } from './tracer.ts'

describe('options', () => {
  test.each([
    [{ pool: -1 }, 'Expected `pool` to be an integer from 0 to 1000000, got -1 (number)'],
    [{ batchSize: 1.5 }, 'Expected `batchSize` to be an integer from 1 to 10000, got 1.5 (number)'],
    [{ delay: 0 }, 'Expected `delay` to be a finite number above 0, got 0 (number)'],
    [{ optimized: 120 }, 'Expected `optimized` to be a number from 0 to 100, got 120 (number)'],
    [
      { limits: { events: -5 } },
      'Expected `limits.events` to be an integer from 0 to 1000000000, got -5 (number)',
    ],
    [
      { exporter: 'console' as never },
      'Expected `exporter` to be an exporter, got "console" (string)',
    ],
  ])('refuses %o', (options, message) => {
    expect(() => new Tracer(options)).toThrow(InvalidOptionError)
    expect(() => new Tracer(options)).toThrow(message)
  })
})
