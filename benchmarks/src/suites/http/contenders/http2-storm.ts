import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Prepare } from '../../../define.ts'

/** What a storm came to; the counts are those of its process, see there. */
export interface Storm {
  readonly calls: number
  readonly foreign: number
  readonly uncaught: number
  readonly unhandled: number
  readonly early: number
  readonly late: number
  readonly left: number
  /** The process had to be ended: it did nothing any more. */
  readonly spins: number
  readonly samples: readonly string[]
}

/** Of the tests of http-pool, which runs it for seconds. */
const script = fileURLToPath(
  new URL(
    '../../../../../packages/http-pool/src/testing/http2-storm-client.fixture.ts',
    import.meta.url,
  ),
)
const callers = '200'
/** For a process that does nothing any more, as undici's in a storm. */
const patience = { quick: 8_000, full: 20_000 }

/** The share of calls that end as they should while an HTTP/2 server resets, stalls and goes away; of calls that are not made, none do. */
function storm(client: 'pool' | 'undici'): Prepare<Storm> {
  return async ({ quick }) => ({
    measure: async () => {
      const seconds = quick ? 6 : 120
      const { last, spins } = await run(client, seconds, quick ? patience.quick : patience.full)
      const { calls, foreign, uncaught, unhandled, early, late, left, samples } = last
      const result = { calls, foreign, uncaught, unhandled, early, late, left, spins, samples }
      const right = 1 - (foreign + uncaught + unhandled + early + late + left) / calls
      return { value: 100 * Math.max(0, right) * Math.min(1, last.seconds / seconds), result }
    },
  })
}

async function run(
  client: string,
  seconds: number,
  wait: number,
): Promise<{ last: Storm & { seconds: number }; spins: number }> {
  const args = ['--no-warnings', '--conditions=millrace-source', script, String(seconds), callers]
  const child = spawn(process.execPath, [...args, client], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.on('data', chunk => {
    output += chunk
  })
  // It cannot be ended from within, nor by a signal that it would have to hear.
  const timer = setTimeout(() => child.kill('SIGKILL'), 1_000 * seconds + wait)
  await once(child, 'close')
  clearTimeout(timer)
  const lines = output.split('\n').slice(0, -1)
  return { last: JSON.parse(lines.at(-1)!), spins: child.signalCode === 'SIGKILL' ? 1 : 0 }
}

export const millraceStorm: Prepare<Storm> = storm('pool')
export const undiciStorm: Prepare<Storm> = storm('undici')

/** Throws where a call of ours did not end as it should. */
export function checkStorm({ calls, samples, ...faults }: Storm, contender: string): void {
  if (calls === 0) throw new Error(`${contender} made no call`)
  if (contender === 'ours' && Object.values(faults).some(count => count > 0)) {
    throw new Error(`Of ${calls} calls: ${JSON.stringify(faults)}, such as ${samples[0]}`)
  }
}
