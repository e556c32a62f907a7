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
