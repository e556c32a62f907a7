import type { ExchangeOptions } from '../request/exchange-options.ts'
import { addMissing, headerList } from '../request/header-list.ts'
import type { InjectHeaders } from '../request/inject-headers.ts'

/** The options of an attempt with the headers that the hook adds. Those of the caller have precedence. */
export function withInjectedHeaders(
  options: ExchangeOptions,
  origin: string,
  attempt: number,
  inject: InjectHeaders,
): ExchangeOptions {
  const added: Record<string, string> = Object.create(null)
  inject(added, { method: options.method, origin, path: options.path, attempt })
  const names = Object.keys(added)
  if (names.length === 0) return options
  const list = headerList(options.headers)
  for (const name of names) addMissing(list, name, added[name]!)
  return { ...options, headers: list }
}
