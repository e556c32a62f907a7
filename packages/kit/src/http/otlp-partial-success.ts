import type { HttpAnswer } from './http-exchange.ts'

/** What a collector says of an export that it took: `rejected` spans or points were dropped; with 0 the message is a warning. */
export interface PartialSuccess {
  readonly rejected: number
  /** As the collector wrote it, up to 1,000 characters; may be empty. */
  readonly message: string
}

type OtlpEncoding = 'protobuf' | 'json'

/** Characters: it goes to listeners and logs. */
const LONGEST_MESSAGE = 1000

const FULL: PartialSuccess = { rejected: 0, message: '' }

/**
 * The partial success in the response to an OTLP export; a full one where the response has none or cannot be read, as what was sent did
 * arrive.
 *
 * @param sent the encoding of the request, which is that of a response that does not name its own
 * @param field name of the count in JSON
 */
export function readPartialSuccess(
  { headers, body }: Pick<HttpAnswer, 'headers' | 'body'>,
  sent: OtlpEncoding,
  field: 'rejectedSpans' | 'rejectedDataPoints',
): PartialSuccess {
  const encoding = encodingOf(headers['content-type']) ?? sent
  const { rejected, message } = encoding === 'json' ? fromJson(body, field) : fromProtobuf(body)
  return {
    rejected: Number.isFinite(rejected) ? Math.max(0, Math.trunc(rejected)) : 0,
    message: message.slice(0, LONGEST_MESSAGE),
  }
}

/** Gateways answer JSON to what they were sent as protobuf. */
function encodingOf(contentType: string | undefined): OtlpEncoding | undefined {
  const [, subtype] =
    /^\s*application\/(json|x-protobuf|protobuf)\s*(?:;|$)/i.exec(contentType ?? '') ?? []
  if (subtype === undefined) return undefined
  return subtype.toLowerCase() === 'json' ? 'json' : 'protobuf'
}

function fromJson(response: Uint8Array, field: string): PartialSuccess {
  let parsed: { partialSuccess?: Record<string, unknown> } | null
  try {
    parsed = JSON.parse(Buffer.from(response).toString())
  } catch {
    // A collector that answers a success with something else accepted everything.
    return FULL
  }
  const { [field]: rejected, errorMessage: message } = parsed?.partialSuccess ?? {}
  // 64-bit integers are strings in JSON. What is neither is none.
  const isCount = typeof rejected === 'number' || typeof rejected === 'string'
  return {
    rejected: isCount ? Number(rejected) : 0,
    message: typeof message === 'string' ? message : '',
  }
}

/** `partial_success` is field 1 of the response; the count and the message are fields 1 and 2 of that. */
function fromProtobuf(response: Uint8Array): PartialSuccess {
  const partial = fieldsOf(response)?.get(1)
  const fields = partial instanceof Uint8Array ? fieldsOf(partial) : undefined
  const rejected = fields?.get(1)
  const message = fields?.get(2)
  return {
    // Beyond the half of 64 bits they are negative.
    rejected: typeof rejected === 'number' && rejected < 2 ** 63 ? rejected : 0,
    message: message instanceof Uint8Array ? Buffer.from(message).toString() : '',
  }
}

/** Varints and delimited fields by number; undefined where the message is malformed. */
function fieldsOf(message: Uint8Array): Map<number, Uint8Array | number> | undefined {
  const fields = new Map<number, Uint8Array | number>()
  let at = 0
  const varint = (): number => {
    let value = 0
    for (let scale = 1; at < message.length; scale *= 128) {
      const byte = message[at++]!
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value
    }
    return Number.NaN
  }
  while (at < message.length) {
    const tag = varint()
    const wire = tag % 8
    if (wire === 1 || wire === 5) {
      at += wire === 1 ? 8 : 4
      continue
    }
    const value = varint()
    const malformed = Number.isNaN(value) || (wire !== 0 && wire !== 2)
    if (malformed || (wire === 2 && at + value > message.length)) return undefined
    const number = Math.floor(tag / 8)
    if (wire === 2) fields.set(number, message.subarray(at, (at += value)))
    else fields.set(number, value)
  }
  return fields
}
