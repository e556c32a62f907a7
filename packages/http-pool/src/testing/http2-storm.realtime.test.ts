import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { runs } from '@millrace/testkit'
import { expect, test } from 'vitest'
import type { StormResult } from './http2-storm-client.fixture.ts'

const script = fileURLToPath(new URL('http2-storm-client.fixture.ts', import.meta.url))

// A process that spins in native code cannot be ended from within, so it is one of its own.
test('an HTTP/2 server that goes away, resets and stalls fails no call of another, and ends no process', async () => {
  const node = ['--no-warnings', '--conditions=millrace-source']
  // Answers make it a storm, of which a server that stands still gives none.
  const args = [...node, script, `${runs(3)}`, '60', 'pool', `${runs(500)}`]
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    timeout: 60_000 + 2_000 * runs(3),
    killSignal: 'SIGKILL',
  })
  const last: StormResult = JSON.parse(stdout.trim().split('\n').at(-1)!)
  const { calls: _calls, seconds: _seconds, latest: _latest, lag: _lag, ...rest } = last
  const { answered, ...faults } = rest
  expect(faults).toEqual({
    foreign: 0,
    uncaught: 0,
    unhandled: 0,
    early: 0,
    late: 0,
    left: 0,
    samples: [],
  })
  expect(answered).toBeGreaterThanOrEqual(runs(500))
})
