import fc from 'fast-check'
import { expect, it } from 'vitest'
import { ProtoWriter } from './proto-writer.ts'

/** The eight bytes after the tag of a field of fixed length. */
function written(write: (out: ProtoWriter) => void): bigint {
  const out = new ProtoWriter()
  write(out)
  return Buffer.from(out.finish()).readBigUInt64LE(1)
}

it('writes whole numbers up to 2^53 in 64 bits', () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), value => {
      expect(written(out => out.fixed64(1, value))).toBe(BigInt(value))
    }),
  )
})

it('writes times in nanoseconds, as whole numbers of any size tell', () => {
  const milliseconds = fc.tuple(fc.nat(2 ** 43), fc.nat(1023)).map(([ms, part]) => ms + part / 1024)
  fc.assert(
    fc.property(milliseconds, time => {
      const whole = Math.floor(time)
      const exact = BigInt(whole) * 1_000_000n + BigInt(Math.round((time - whole) * 1e6))
      expect(written(out => out.nanoseconds(1, time))).toBe(exact)
    }),
    { examples: [[0], [1_700_000_000_000.25], [2 ** 43 - 0.5], [2 ** 32 / 1e6]] },
  )
})
