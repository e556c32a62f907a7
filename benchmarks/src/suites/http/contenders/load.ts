import type { Loop, Prepare } from '../../../define.ts'
import type { JsonServer } from '../servers/json-server.ts'

export const requestsPerRun = 2_000
export const workers = 16
/** A client is a large program: it takes some ten thousand requests until it is compiled and its sockets are open. */
const warmupRuns = { quick: 5, full: 8 }

/** A client under test: sends one GET, reads the answer as text, returns its length. */
export interface Client {
  get(url: string): Promise<number>
  close(): void | Promise<void>
}

/** Loops, {@link workers} of them if nothing else is said, that send {@link requestsPerRun} requests together, over as many connections. */
export function load(
  makeClient: (server: JsonServer) => Promise<Client>,
  loops: number = workers,
): Prepare<number> {
  return async ({ fixture, quick }) => {
    const server = fixture as JsonServer
    const client = await makeClient(server)
    const worker = async (): Promise<number> => {
      let bytes = 0
      for (let i = 0; i < requestsPerRun / loops; i++) bytes += await client.get(server.url)
      return bytes
    }
    const loop: Loop<number> = {
      operations: requestsPerRun,
      run: async () => {
        const all = await Promise.all(Array.from({ length: loops }, worker))
        return all.reduce((sum, bytes) => sum + bytes, 0)
      },
      close: () => client.close(),
    }
    const warmups = quick ? warmupRuns.quick : warmupRuns.full
    for (let i = 0; i < warmups; i++) await loop.run()
    return loop
  }
}
