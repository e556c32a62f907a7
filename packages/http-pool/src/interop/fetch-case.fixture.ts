/** A fetch and the classes that go with it. */
export interface Fetcher {
  fetch: typeof globalThis.fetch
  Request: typeof globalThis.Request
  Response: typeof globalThis.Response
  Headers: typeof globalThis.Headers
  FormData: typeof globalThis.FormData
}

/** What a case finds out, as JSON; compared with what the standard asks for. */
export type Finding = unknown
export type FetchCase = readonly [
  name: string,
  run: (fetcher: Fetcher, base: string) => Promise<Finding>,
  expected: Finding,
]

/** The name of what a promise is rejected with; what it gives otherwise. */
export async function outcome(promise: Promise<unknown>): Promise<Finding> {
  try {
    const value = await promise
    return { value: typeof value === 'object' ? 'an object' : value }
  } catch (error) {
    return (error as Error).name
  }
}
