import type { Prepare } from '../../../define.ts'

/** What came of all calls. */
export interface Races {
  readonly succeeded: number
}

export const raceCalls = 50_000
const raceWorkers = 40

/** How many of 50,000 GET calls succeed while the server closes idle connections at any moment. No retries. */
function races(makeGet: () => Promise<(url: string) => Promise<unknown>>): Prepare<Races> {
  return async ({ fixture }) => {
    const url = fixture as string
    const get = await makeGet()
    return {
      measure: async () => {
        let succeeded = 0
        const worker = async () => {
          for (let i = 0; i < raceCalls / raceWorkers; i++) {
            await get(url).then(
              () => succeeded++,
              () => {},
            )
            await new Promise(resolve => setTimeout(resolve, Math.random() * 5))
          }
        }
        await Promise.all(Array.from({ length: raceWorkers }, worker))
        return { value: succeeded, result: { succeeded } }
      },
    }
  }
}

export const millraceRaces: Prepare<Races> = races(async () => {
  const { HttpPool } = await import('@millrace/http-pool')
  const pool = new HttpPool({ connectionsPerHost: raceWorkers, retry: false })
  return async url => (await pool.request(url)).body.text()
})

export const undiciRaces: Prepare<Races> = races(async () => {
  const { Agent, request } = await import('undici')
  const dispatcher = new Agent({ connections: raceWorkers })
  return async url => (await request(url, { dispatcher })).body.text()
})
