/** What a collector says of an export that it took: `rejected` points were dropped; with 0 the message is a warning. */
export interface PartialSuccess {
  readonly rejected: number
  /** As the collector wrote it, up to 1,000 characters; may be empty. */
  readonly message: string
}

/** Characters: it goes to listeners and logs. */
const LONGEST_MESSAGE = 1000

const FULL: PartialSuccess = { rejected: 0, message: '' }

/**
 * The partial success in an `ExportMetricsServiceResponse`; a full one where the answer has none or cannot be read, as the metrics did
 * arrive.
 */
export function readPartialSuccess(
  answer: Uint8Array,
  encoding: 'protobuf' | 'json',
): PartialSuccess {
  const { rejected, message } = encoding === 'json' ? fromJson(answer) : fromProtobuf(answer)
  return {
    rejected: Number.isFinite(rejected) ? Math.max(0, rejected) : 0,
    message: message.slice(0, LONGEST_MESSAGE),
  }
}

function fromJson(answer: Uint8Array): PartialSuccess {
  try {
    const parsed = JSON.parse(Buffer.from(answer).toString()) as {
      partialSuccess?: { rejectedDataPoints?: unknown; errorMessage?: unknown }
    }
    const { rejectedDataPoints: rejected, errorMessage: message } = parsed.partialSuccess ?? {}
    // 64-bit integers are strings in JSON. What is neither is none.
    const isCount = typeof rejected === 'number' || typeof rejected === 'string'
    return {
      rejected: isCount ? Number(rejected) : 0,
      message: typeof message === 'string' ? message : '',
    }
  } catch {
    return FULL
  }
}

/** `partial_success` is field 1 of the response; `rejected_data_points` and `error_message` are fields 1 and 2 of that. */
function fromProtobuf(answer: Uint8Array): PartialSuccess {
  const partial = fieldsOf(answer).get(1)
  if (!(partial instanceof Uint8Array)) return FULL
  const fields = fieldsOf(partial)
  const rejected = fields.get(1)
  const message = fields.get(2)
  return {
    rejected: typeof rejected === 'number' ? rejected : 0,
    message: message instanceof Uint8Array ? Buffer.from(message).toString() : '',
  }
}

/** Varints and delimited fields by number. */
function fieldsOf(message: Uint8Array): Map<number, Uint8Array | number> {
  const fields = new Map<number, Uint8Array | number>()
  let at = 0
  const varint = (): number => {
    let value = 0
    for (let scale = 1; at < message.length; scale *= 128) {
      const byte = message[at++]!
      value += (byte & 0x7f) * scale
      if (byte < 0x80) break
    }
    return value
  }
  while (at < message.length) {
    const tag = varint()
    const wire = tag & 7
    if (wire === 1) at += 8
    else if (wire === 5) at += 4
    else {
      const value = varint()
      fields.set(tag >>> 3, wire === 2 ? message.subarray(at, (at += value)) : value)
    }
  }
  return fields
}
