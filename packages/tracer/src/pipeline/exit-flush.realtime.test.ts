import { type ChildProcess, spawn } from 'node:child_process'
import { on, once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { freePort } from '@millrace/testkit'
import { expect, test } from 'vitest'
import { Collector } from '../otlp/collector.fixture.ts'

/** An `exitTimeout` in ms that no machine stands still for. */
const PATIENT = '60000'

const fixture = fileURLToPath(new URL('./exiting.fixture.ts', import.meta.url))

function start(url: string, how: string, ...rest: string[]): ChildProcess {
  return spawn(
    process.execPath,
    ['--conditions=millrace-source', '--expose-gc', fixture, url, how, ...rest],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
}

test.each(['SIGTERM', 'SIGINT'] as const)(
  '%s flushes, then ends the process as it would have',
  async signal => {
    await using collector = await Collector.start()
    const child = start(collector.url, 'signal', PATIENT)
    await once(child.stdout!, 'data')
    child.kill(signal)
    const [code, killedBy] = await once(child, 'exit')
    expect([code, killedBy]).toEqual([null, signal])
    expect(collector.names).toHaveLength(250)
  },
)

test.each([
  ['SIGTERM', 'SIGTERM'],
  ['SIGINT', 'SIGTERM'],
] as const)(
  '%s, then %s ends a process that waits for a hanging collector',
  async (first, second) => {
    await using collector = await Collector.start()
    collector.answer = () => new Promise(() => {})
    const child = start(collector.url, 'signal', '600000')
    await once(child.stdout!, 'data')
    child.kill(first)
    // More than once, as equal signals may become one before the process sees them.
    const repeat = setInterval(() => child.kill(second), 100)
    expect(await once(child, 'exit')).toEqual([null, second])
    clearInterval(repeat)
  },
)

test('two copies of this package flush, and the later one ends the process', async () => {
  await using collector = await Collector.start()
  const child = start(collector.url, 'two-copies', '60000')
  await once(child.stdout!, 'data')
  child.kill('SIGTERM')
  expect(await once(child, 'exit')).toEqual([null, 'SIGTERM'])
  expect(collector.names).toHaveLength(500)
})

test('a second signal ends a process with two copies of this package that wait', async () => {
  await using collector = await Collector.start()
  collector.answer = () => new Promise(() => {})
  const child = start(collector.url, 'two-copies', '600000')
  await once(child.stdout!, 'data')
  child.kill('SIGINT')
  // More than once, as equal signals may become one before the process sees them.
  const repeat = setInterval(() => child.kill('SIGTERM'), 100)
  expect(await once(child, 'exit')).toEqual([null, 'SIGTERM'])
  clearInterval(repeat)
})

test('a program that handles each signal by itself is not ended by the second', async () => {
  await using collector = await Collector.start()
  collector.answer = () => new Promise(() => {})
  const child = start(collector.url, 'counts-signals', '600000')
  const told = on(child.stdout!, 'data')
  for (const expected of ['ready', '1', '2', '3']) {
    const { value } = await told.next()
    expect(String(value)).toBe(expected)
    child.kill('SIGTERM')
  }
  expect(await once(child, 'exit')).toEqual([7, null])
})

test.each(['own-handler', 'own-handler-once'])(
  'a program with a handler of its own decides how it ends: %s',
  async how => {
    await using collector = await Collector.start()
    const child = start(collector.url, how, PATIENT)
    await once(child.stdout!, 'data')
    child.kill('SIGTERM')
    expect((await once(child, 'exit'))[0]).toBe(7)
    expect(collector.names).toHaveLength(250)
  },
)

test('an empty event loop flushes and keeps the exit code', async () => {
  await using collector = await Collector.start()
  const [code] = await once(start(collector.url, 'exit-in-beforeExit', PATIENT), 'exit')
  expect(code).toBe(3)
  expect(collector.names).toHaveLength(250)
})

test('spans that end while the process is about to end are flushed, too', async () => {
  await using collector = await Collector.start()
  expect(await once(start(collector.url, 'late-spans', PATIENT), 'exit')).toEqual([0, null])
  expect(collector.names).toHaveLength(750)
})

test('a program that ends spans whenever its event loop is empty comes to an end', async () => {
  await using collector = await Collector.start()
  expect(await once(start(collector.url, 'spans-without-end', PATIENT), 'exit')).toEqual([0, null])
  expect(collector.names).toContain('late')
})

test('a request that is never answered keeps no process beyond the timeout of the exit', async () => {
  await using collector = await Collector.start()
  collector.answer = () => new Promise(() => {})
  expect(await once(start(collector.url, 'endless-attempt', '100'), 'exit')).toEqual([0, null])
})

test('a tracer that was forgotten while its collector refused delivers at the end', async () => {
  await using collector = await Collector.start()
  collector.answer = () => ({ status: 503 })
  const child = start(collector.url, 'forgotten', '60000')
  await once(child.stdout!, 'data')
  collector.answer = () => ({ status: 200 })
  await once(child, 'exit')
  expect(collector.names).toHaveLength(500)
})

test('a collector that is down delays the exit no longer than the timeout', async () => {
  // Three seconds, and what a loaded machine takes to start a process; the exporter itself would try for a minute.
  const began = performance.now()
  await once(start(`http://127.0.0.1:${await freePort()}/`, 'plain'), 'exit')
  expect(performance.now() - began).toBeLessThan(30_000)
})
