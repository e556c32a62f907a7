import { type LookupAddress, type LookupOptions, lookup as systemLookup } from 'node:dns'
import type { LookupFunction } from 'node:net'

/** Says whether a connection to an address may be made. */
export type AllowAddress = (address: string, family: number) => boolean

type AllCallback = (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void

/** A name whose addresses are all refused. The connection turns it into a typed error. */
export class RefusedAddress extends Error {}

/**
 * A lookup that drops the addresses which are not allowed. As the socket connects to what this returns and
 * asks nothing else, a name cannot resolve to one address for the check and to another for the connection.
 */
export function guardedLookup(
  lookup: LookupFunction | undefined,
  allow: AllowAddress,
): LookupFunction {
  const resolve = lookup ?? (systemLookup as unknown as LookupFunction)
  return (hostname, options, callback) => {
    const onAddresses: AllCallback = (error, addresses) => {
      if (error !== null) {
        callback(error, '', 0)
        return
      }
      let allowed: LookupAddress[]
      try {
        allowed = addresses.filter(({ address, family }) => allow(address, family))
      } catch (error) {
        callback(error as NodeJS.ErrnoException, '', 0)
        return
      }
      const first = allowed[0]
      if (first === undefined) callback(new RefusedAddress(), '', 0)
      else if (options.all) (callback as unknown as AllCallback)(null, allowed)
      else callback(null, first.address, first.family)
    }
    const all: LookupOptions = { ...options, all: true }
    resolve(hostname, all, onAddresses as unknown as Parameters<LookupFunction>[2])
  }
}
