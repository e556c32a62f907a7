import { type PartialSuccess, partialSuccess } from '../encoding/encoder.ts'

/** Reads an `ExportTraceServiceResponse`; undefined where it reports nothing or is malformed. */
export function readPartialSuccess(body: Uint8Array): PartialSuccess | undefined {
  const outer = readFields(body)
  const inner = outer?.find(field => field.number === 1)?.bytes
  if (inner === undefined) return undefined
  let rejectedSpans = 0
  let message = ''
  for (const { number, bytes, value } of readFields(inner) ?? []) {
    if (number === 1) rejectedSpans = value
    if (number === 2 && bytes !== undefined) message = Buffer.from(bytes).toString('utf8')
  }
  return partialSuccess(rejectedSpans, message)
}

interface Field {
  number: number
  value: number
  bytes?: Uint8Array
}

/** The varint and length-delimited fields of a message; undefined where it is malformed. */
function readFields(bytes: Uint8Array): Field[] | undefined {
  const fields: Field[] = []
  let at = 0
  const varint = (): number => {
    let value = 0
    for (let scale = 1; at < bytes.length; scale *= 128) {
      const byte = bytes[at++]!
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value
    }
    return Number.NaN
  }
  while (at < bytes.length) {
    const tag = varint()
    const wire = tag % 8
    const value = varint()
    if (Number.isNaN(value) || (wire !== 0 && wire !== 2)) return undefined
    const field: Field = { number: Math.floor(tag / 8), value }
    if (wire === 2) {
      if (at + value > bytes.length) return undefined
      field.bytes = bytes.subarray(at, at + value)
      at += value
    }
    fields.push(field)
  }
  return fields
}
