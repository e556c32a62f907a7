/** Of `RequestInit` in the Fetch standard. */
const INIT_MEMBERS: readonly string[] = [
  'method',
  'headers',
  'body',
  'referrer',
  'referrerPolicy',
  'mode',
  'credentials',
  'cache',
  'redirect',
  'integrity',
  'keepalive',
  'signal',
  'duplex',
  'priority',
  'window',
]

/** What the platform's `fetch` reads of an `init`, which may be a Request and inherit its members: as properties of its own. */
export function requestInit(init: RequestInit | undefined): RequestInit | undefined {
  if ((typeof init !== 'object' && typeof init !== 'function') || init === null) return init
  const given = init as Readonly<Record<string, unknown>>
  const members = INIT_MEMBERS.filter(name => given[name] !== undefined)
  return Object.fromEntries(members.map(name => [name, given[name]]))
}
