import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { open } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import { expect, test } from 'vitest'

const module = new URL('./fail-on-lost-output.ts', import.meta.url).href
/** Prints a megabyte, then sets the exit code that a command gives to what it has found. */
const command = (code: string): string[] => [
  '--disable-warning=ExperimentalWarning',
  '--input-type=module',
  '--eval',
  `import { failOnLostOutput } from ${JSON.stringify(module)}
  failOnLostOutput(${code})
  for (let i = 0; i < 1024; i++) console.log('x'.repeat(1023))
  await new Promise(resolve => setImmediate(resolve))
  process.exitCode = 3`,
]

async function outcome(child: ChildProcess): Promise<[code: number, stderr: string]> {
  const [stderr, [code]] = await Promise.all([text(child.stderr!), once(child, 'close')])
  return [code, stderr]
}

test.each([
  ['', 1],
  ['2', 2],
])('a full disk is told once, and decides the exit code (%s)', async (given, code) => {
  await using full = await open('/dev/full', 'w')
  const child = spawn(process.execPath, command(given), { stdio: ['ignore', full.fd, 'pipe'] })
  const [ended, stderr] = await outcome(child)
  expect(ended).toBe(code)
  expect(stderr).toMatch(/^Cannot print to the standard output: ENOSPC.*\n$/)
})

test('a reader that has seen enough is told nothing, and changes no exit code', async () => {
  const child = spawn(process.execPath, command(''), { stdio: ['ignore', 'pipe', 'pipe'] })
  child.stdout.once('data', () => child.stdout.destroy())
  expect(await outcome(child)).toEqual([3, ''])
})

test('an output that nothing is wrong with changes nothing', async () => {
  const child = spawn(process.execPath, command(''), { stdio: ['ignore', 'pipe', 'pipe'] })
  const printed = text(child.stdout)
  expect(await outcome(child)).toEqual([3, ''])
  expect((await printed).length).toBe(1024 * 1024)
})
