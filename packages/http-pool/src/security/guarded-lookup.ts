import { type LookupAddress, type LookupOptions, lookup as systemLookup } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import { InvalidOptionError, isThenable } from '@millrace/kit'

/** Says whether a connection to an address may be made. */
export type AllowAddress = (address: string, family: number) => boolean

type AllCallback = (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void
type Answer = (error: NodeJS.ErrnoException | null, given: unknown, family: unknown) => void

/** A name whose addresses are all refused. The connection turns it into a typed error. */
export class RefusedAddress extends Error {}

/**
 * A lookup that drops the addresses which are not allowed. As the socket connects to what this returns and
 * asks nothing else, a name cannot resolve to one address for the check and to another for the connection.
 *
 * What a lookup of the user's own gives is checked, as Node ends the process over an address that is no string.
 */
export function guardedLookup(
  lookup: LookupFunction | undefined,
  allow: AllowAddress,
): LookupFunction {
  const resolve = lookup ?? (systemLookup as unknown as LookupFunction)
  return (hostname, options, callback) => {
    let isAnswered = false
    const onAddresses: Answer = (error, given, family) => {
      if (isAnswered) return
      isAnswered = true
      if (error) {
        callback(error, '', 0)
        return
      }
      let allowed: LookupAddress[]
      try {
        allowed = addressList(given, family).filter(each => allow(each.address, each.family))
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
    const call = resolve as (...given: unknown[]) => unknown
    const returned = call(hostname, all, onAddresses)
    // One that is asynchronous calls back, too. What it returns or throws instead would be waited for in vain, or heard by no one.
    if (!isThenable(returned)) return
    const onReturn = (given: unknown): void => {
      if (given !== undefined) onAddresses(calledBack(given), undefined, undefined)
    }
    returned.then(onReturn, error => onAddresses(error, undefined, undefined))
  }
}

function calledBack(given: unknown): InvalidOptionError {
  return new InvalidOptionError('lookup', 'a function that calls back', given)
}

/** @throws InvalidOptionError */
function addressList(given: unknown, family: unknown): LookupAddress[] {
  const list: unknown[] = Array.isArray(given) ? given : [{ address: given, family }]
  return list.map(each => {
    const address: unknown = (each as LookupAddress | null | undefined)?.address
    const version = typeof address === 'string' ? isIP(address) : 0
    if (version === 0) {
      throw new InvalidOptionError('lookup', 'a function that gives IP addresses', address)
    }
    return { address: address as string, family: version }
  })
}
