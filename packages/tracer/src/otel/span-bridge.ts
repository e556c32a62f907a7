import {
  type Baggage as ApiBaggage,
  baggageEntryMetadataFromString,
  propagation,
} from '@opentelemetry/api'
import { Baggage } from '../context/baggage.ts'

const known = new WeakMap<ApiBaggage, Baggage>()

/** The API's baggage as this package's; none where it is none, or throws. */
export function toBaggage(baggage: unknown): Baggage | null {
  if (typeof baggage !== 'object' || baggage === null) return null
  const source = baggage as ApiBaggage
  let converted = known.get(source)
  if (converted === undefined) {
    converted = convert(source)
    if (converted === undefined) return null
    known.set(source, converted)
  }
  return converted
}

function convert(source: ApiBaggage): Baggage | undefined {
  try {
    return new Baggage(
      source.getAllEntries().map(([key, { value, metadata }]) => {
        const text = metadata?.toString() ?? ''
        return [key, text === '' ? { value } : { value, metadata: text }]
      }),
    )
  } catch {
    // Something else under baggage's key: a program in JavaScript may set anything.
    return undefined
  }
}

/** This package's baggage as the API's. */
export function toApiBaggage(baggage: Baggage): ApiBaggage {
  let result = propagation.createBaggage()
  for (const [key, { value, metadata }] of baggage.entries()) {
    const entry =
      metadata === undefined
        ? { value }
        : { value, metadata: baggageEntryMetadataFromString(metadata) }
    result = result.setEntry(key, entry)
  }
  known.set(result, baggage)
  return result
}
