import { checkRecord } from '@millrace/kit'
import { InvalidOptionError } from '../errors.ts'

/** Attributes of the process that the metrics come from. */
export type ResourceAttributes = Readonly<Record<string, string | number | boolean>>

/** @throws InvalidOptionError */
export function checkResource(resource: ResourceAttributes): ResourceAttributes {
  checkRecord('resource', resource, 'an object of attributes')
  for (const [key, value] of Object.entries(resource)) {
    if (typeof value === 'string' || typeof value === 'boolean' || Number.isFinite(value)) continue
    throw new InvalidOptionError(`resource.${key}`, 'a string, finite number or boolean', value)
  }
  return resource
}

/**
 * `OTEL_RESOURCE_ATTRIBUTES` and `OTEL_SERVICE_NAME` of an environment, as the OpenTelemetry specification reads them:
 * one malformed pair voids the whole list.
 */
export function resourceFromEnvironment(
  env: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  const attributes: Record<string, string> = Object.create(null)
  Object.assign(attributes, parseAttributes(env.OTEL_RESOURCE_ATTRIBUTES ?? ''))
  if (env.OTEL_SERVICE_NAME) attributes['service.name'] = env.OTEL_SERVICE_NAME
  attributes['service.name'] ??= 'unknown_service:node'
  return attributes
}

function parseAttributes(list: string): Record<string, string> {
  const attributes: Record<string, string> = Object.create(null)
  for (const pair of list.split(',')) {
    if (pair.trim() === '') continue
    const equals = pair.indexOf('=')
    if (equals <= 0) return {}
    try {
      attributes[decodeURIComponent(pair.slice(0, equals).trim())] = decodeURIComponent(
        pair.slice(equals + 1).trim(),
      )
    } catch {
      return {}
    }
  }
  return attributes
}
