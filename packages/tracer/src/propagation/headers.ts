/**
 * Headers that came in: an object as `node:http` and undici have it, whose names may have any case, or anything with a `get` by name in
 * lower case, such as the `Headers` of `fetch` and a `Map`.
 */
export type IncomingHeaders =
  | Readonly<Record<string, string | readonly string[] | undefined>>
  | { get(name: string): unknown }

/** Headers that go out: an object, or anything with a `set` by name, such as the `Headers` of `fetch` and a `Map`. */
export type OutgoingHeaders =
  | Record<string, unknown>
  | { set(name: string, value: string): unknown }

/** Gives the value of a header by its name in lower case. May throw. */
export type HeaderReader = (name: string) => unknown

/** Sets a header. May throw. */
export type HeaderWriter = (name: string, value: string) => void

/** How these headers are read. */
export function readerOf(headers: IncomingHeaders): HeaderReader {
  return name => {
    const { get } = headers as { get?: unknown }
    if (typeof get === 'function') return get.call(headers, name)
    const record = headers as Readonly<Record<string, unknown>>
    return record[name] ?? inAnyCase(record, name)
  }
}

/** How these headers are set. */
export function writerOf(headers: OutgoingHeaders): HeaderWriter {
  return (name, value) => {
    const { set } = headers as { set?: unknown }
    if (typeof set === 'function') set.call(headers, name, value)
    else (headers as Record<string, unknown>)[name] = value
  }
}

/** Gateways hand headers on as their senders wrote them. */
function inAnyCase(headers: Readonly<Record<string, unknown>>, name: string): unknown {
  for (const other of Object.keys(headers)) {
    if (other.length === name.length && other.toLowerCase() === name) return headers[other]
  }
  return undefined
}

/** The value of a header that may come once only; undefined where it came more often, is no text, or cannot be read. */
export function single(read: HeaderReader, name: string): string | undefined {
  try {
    const value = read(name)
    const only: unknown = Array.isArray(value) && value.length === 1 ? value[0] : value
    return typeof only === 'string' ? only : undefined
  } catch {
    // A getter that throws: the header counts as absent, the others as what they are.
    return undefined
  }
}

/** The value of a header that may come in pieces; undefined where it is no text, or cannot be read. */
export function joined(read: HeaderReader, name: string): string | undefined {
  try {
    const value = read(name)
    const text: unknown = Array.isArray(value) ? value.join(',') : value
    return typeof text === 'string' ? text : undefined
  } catch {
    // As above.
    return undefined
  }
}
