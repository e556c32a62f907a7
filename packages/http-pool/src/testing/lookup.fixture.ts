import type { LookupAddress } from 'node:dns'
import type { HttpPoolOptions } from '../index.ts'

/** A lookup that answers with these addresses. */
export const resolvesTo =
  (...addresses: string[]): NonNullable<HttpPoolOptions['lookup']> =>
  (_hostname, options, callback) => {
    const all: LookupAddress[] = addresses.map(address => ({
      address,
      family: address.includes(':') ? 6 : 4,
    }))
    if (options.all) (callback as unknown as (e: null, a: LookupAddress[]) => void)(null, all)
    else callback(null, all[0]!.address, all[0]!.family)
  }
