import { gzipSync, zstdCompressSync } from 'node:zlib'
import { runs } from '@millrace/testkit'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { UnencodableValueError } from '../contract/errors.ts'
import { bytesCodec, type Codec, jsonCodec, structuredCodec } from './codec.ts'
import type { Algorithm } from './compression.ts'
import { ValuePacker } from './value-packer.ts'

const algorithms: Algorithm[] = ['zstd', 'gzip', 'brotli']
const text = 'a value that repeats itself, '.repeat(200)

describe('ValuePacker', () => {
  test.each(algorithms)('%s makes large values small and reads them back', algorithm => {
    const packer = new ValuePacker({ compression: { algorithm } })
    const packed = packer.pack(text)
    expect(packed.length).toBeLessThan(text.length / 20)
    expect(packer.unpack(packed)).toBe(text)
  })

  test('what one setting packed, every other setting unpacks', () => {
    const packers = [false, ...algorithms.map(algorithm => ({ algorithm }))].map(
      compression => new ValuePacker({ compression }),
    )
    for (const packer of packers) {
      for (const other of packers) expect(other.unpack(packer.pack(text))).toBe(text)
    }
  })

  test('values below the threshold, and those that do not shrink, stay as they are', () => {
    const packer = new ValuePacker<Uint8Array>({
      codec: bytesCodec,
      compression: { threshold: 100 },
    })
    expect(packer.pack(new Uint8Array(99))).toHaveLength(100)
    expect(packer.pack(new Uint8Array(100)).length).toBeLessThan(100)
    const random = crypto.getRandomValues(new Uint8Array(1_000))
    expect(packer.pack(random)).toHaveLength(1_001)
    expect(packer.unpack(packer.pack(random))).toEqual(random)
  })

  test('no codec reads what another one encoded', () => {
    const codecs: Codec<unknown>[] = [
      jsonCodec,
      structuredCodec,
      { ...bytesCodec } as Codec<unknown>,
    ]
    const bytes = bytesCodec as Codec<unknown>
    for (const compression of [false, { threshold: 1 }]) {
      for (const codec of codecs) {
        for (const other of [...codecs, bytes]) {
          if (other === codec) continue
          const packed = new ValuePacker({ codec: other, compression }).pack(Buffer.from('"json"'))
          expect(() => new ValuePacker({ codec }).unpack(packed)).toThrow('another codec')
        }
      }
    }
  })

  test('the structured codec keeps what JSON loses', () => {
    const packer = new ValuePacker({ codec: structuredCodec, compression: true })
    const value = { at: new Date(0), map: new Map([[1n, new Set(['x'])]]), none: undefined }
    expect(packer.unpack(packer.pack(value))).toEqual(value)
  })

  test('a codec that is asynchronous is refused, and ends no process by its rejection', async () => {
    const rejected: unknown[] = []
    const note = (reason: unknown): void => void rejected.push(reason)
    process.on('unhandledRejection', note)
    const fail = async (): Promise<never> => {
      throw new Error('late')
    }
    const one = new ValuePacker({ codec: { encode: fail as never, decode: () => 1 } })
    expect(() => one.pack(1)).toThrow(UnencodableValueError)
    for (const decode of [fail, async () => 1]) {
      const other = new ValuePacker<unknown>({ codec: { encode: () => Buffer.alloc(1), decode } })
      expect(() => other.unpack(other.pack(1))).toThrow('promise')
    }
    await new Promise(resolve => setImmediate(resolve))
    process.off('unhandledRejection', note)
    expect(rejected).toEqual([])
  })

  test('JSON values survive any setting', () => {
    fc.assert(
      fc.property(
        fc.jsonValue(),
        fc.constantFrom(...algorithms),
        fc.nat(200),
        (value, algorithm, threshold) => {
          const packer = new ValuePacker({ compression: { algorithm, threshold } })
          expect(packer.unpack(packer.pack(value))).toEqual(JSON.parse(JSON.stringify(value)))
        },
      ),
      { numRuns: runs(100) },
    )
  })

  test.each(algorithms)(
    'damaged %s bytes throw instead of decoding to something else',
    algorithm => {
      const packer = new ValuePacker({ compression: { algorithm } })
      const packed = packer.pack(text)
      expect(() => packer.unpack(packed.subarray(0, packed.length - 5))).toThrow()
      expect(() => packer.unpack(Uint8Array.of(9, ...packed))).toThrow('Unknown compression 9')
      expect(() => packer.unpack(new Uint8Array())).toThrow('Encoded by another codec')
    },
  )

  test.each<[Algorithm, () => Buffer]>([
    ['zstd', () => zstdCompressSync(Buffer.alloc(257 << 20))],
    // A file of many parts is one.
    [
      'gzip',
      () => Buffer.concat(Array.from({ length: 257 }, () => gzipSync(Buffer.alloc(1 << 20)))),
    ],
  ])('a few %s bytes that would become more than 256 MB throw', (algorithm, bomb) => {
    const packer = new ValuePacker({ compression: { algorithm } })
    const packed = Buffer.concat([packer.pack(text).subarray(0, 1), bomb()])
    expect(packed.length).toBeLessThan(1 << 20)
    expect(() => packer.unpack(packed)).toThrow(
      expect.objectContaining({ code: 'ERR_BUFFER_TOO_LARGE' }),
    )
  })

  test('bad options are named', () => {
    expect(() => new ValuePacker({ compression: { level: 20 } })).toThrow(
      'Expected `compression.level` to be an integer from 1 to 19, got a positive integer of 2 digits',
    )
    expect(() => new ValuePacker({ compression: { algorithm: 'toString' as Algorithm } })).toThrow(
      "Expected `compression.algorithm` to be one of 'zstd', 'gzip', 'brotli'",
    )
    expect(() => new ValuePacker({ compression: { threshold: Number.NaN } })).toThrow(
      'Expected `compression.threshold` to be a number of at least 0 or Infinity, got NaN',
    )
  })
})
