import { ProtobufWriter } from './protobuf-writer.ts'

const scratch = new ProtobufWriter(1024)

/**
 * Bytes ready to be copied eight at a time, as doubles, the fastest way that JavaScript has for some dozen bytes. They are an
 * ordinary array, as an element of it needs one check less than one of a Float64Array. No eight of them can be a NaN, whose
 * bits an engine may change: that takes a byte 0x7f or 0xff behind one of 0xf0 or more, which UTF-8 does not contain and no
 * length follows.
 */
export interface Prepared {
  readonly units: readonly number[]
  readonly length: number
}

/** What `writer` writes, prepared for copying. */
export function prepare(write: (writer: ProtobufWriter) => void): Prepared {
  scratch.pos = 0
  write(scratch)
  const length = scratch.pos
  scratch.ensure(8)
  scratch.bytes.fill(0, length, length + 8)
  const units: number[] = []
  for (let at = 0; at < length; at += 8) units.push(scratch.view.getFloat64(at, true))
  return { units, length }
}
