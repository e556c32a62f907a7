import type { Attributes } from '../span/api/span.ts'

/** Put in by the build, from package.json. */
declare const MILLRACE_TRACER_VERSION: string | undefined

/** Version of this package; 0.0.0 when run from source. */
export const VERSION: string =
  typeof MILLRACE_TRACER_VERSION === 'string' ? MILLRACE_TRACER_VERSION : '0.0.0'

/** Describes the process that makes the spans: sent once per request. */
export type Resource = Attributes

/** The resource of a service, with what OpenTelemetry requires every SDK to say about itself. */
export function resourceOf(service: string | undefined, attributes: Attributes = {}): Resource {
  return {
    'service.name': service ?? attributes['service.name'] ?? 'unknown_service:node',
    'telemetry.sdk.name': 'millrace',
    'telemetry.sdk.language': 'nodejs',
    'telemetry.sdk.version': VERSION,
    ...without(attributes, 'service.name'),
  }
}

function without(attributes: Attributes, key: string): Attributes {
  const { [key]: _, ...rest } = attributes
  return rest
}
