/** What a collector says it did not take. */
export interface PartialSuccess {
  readonly rejected: number
}

/**
 * The number of rejected points in an `ExportMetricsServiceResponse`; 0 where the answer has none or cannot be read,
 * as the metrics did arrive.
 */
export function readPartialSuccess(
  answer: Uint8Array,
  encoding: 'protobuf' | 'json',
): PartialSuccess {
  const rejected = encoding === 'json' ? fromJson(answer) : fromProtobuf(answer)
  return { rejected: Number.isFinite(rejected) ? rejected : 0 }
}

function fromJson(answer: Uint8Array): number {
  try {
    const parsed = JSON.parse(Buffer.from(answer).toString()) as {
      partialSuccess?: { rejectedDataPoints?: string | number }
    }
    return Number(parsed.partialSuccess?.rejectedDataPoints ?? 0)
  } catch {
    return 0
  }
}

/** `partial_success` is field 1 of the response, and `rejected_data_points` field 1 of that. */
function fromProtobuf(answer: Uint8Array): number {
  const partial = fieldOne(answer)
  const rejected = partial instanceof Uint8Array ? fieldOne(partial) : 0
  return typeof rejected === 'number' ? rejected : 0
}

function fieldOne(message: Uint8Array): Uint8Array | number | undefined {
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
      const content = wire === 2 ? message.subarray(at, (at += value)) : value
      if (tag >>> 3 === 1) return content
    }
  }
  return undefined
}
