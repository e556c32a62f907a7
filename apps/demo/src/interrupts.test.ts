import { once } from 'node:events'
import { expect, test } from 'vitest'
import { DemoSandbox } from './demo.fixture.ts'

/** Moments at which the demo is told to end, spread evenly over what a run takes. */
const moments = Math.max(6, Math.round(20 * Number(process.env.MILLRACE_TEST_SCALE ?? 0.3)))

test('Ctrl-C or SIGTERM at any moment leaves caches that the next run opens and believes', async () => {
  await using sandbox = await DemoSandbox.create()
  for (let i = 0; i < 300; i++)
    await sandbox.write(`app/src/${i}.ts`, `import './${i + 1}.ts'\nexport const a = ${i}\n`)
  const args = ['app', '--port', '0']
  const whole = sandbox.start(args)
  const begun = performance.now()
  await whole.printed(/Serving on/)
  const length = performance.now() - begun
  whole.interrupt()
  expect(await whole.outcome()).toMatchObject({ code: 0, stderr: '' })
  // Two at a time, on the same caches.
  const ends: unknown[] = []
  const worker = async (first: number) => {
    for (let i = first; i < moments; i += 2) {
      await sandbox.write(`app/src/${i}.ts`, `export const changed = ${i}\n`)
      const demo = sandbox.start(args)
      const ended = once(demo.child, 'exit')
      await new Promise(resolve => setTimeout(resolve, (length * (i + 0.5)) / moments))
      demo.child.kill(i % 3 === 2 ? 'SIGTERM' : 'SIGINT')
      const [code, signal] = await ended
      const { stderr } = await demo.outcome()
      // Before the program listens the system ends it; after that it ends itself, without a word of trouble.
      ends.push([code === 0 || signal !== null, stderr])
    }
  }
  await Promise.all([worker(0), worker(1)])
  expect(ends).toEqual(Array.from({ length: moments }, () => [true, '']))
  const { code, stdout, stderr } = await sandbox.run(['app', '--once', '--json'])
  expect([code, stderr]).toEqual([0, ''])
  const { sources } = JSON.parse(stdout)
  expect(sources.files).toBe(304)
  // What the first run found of the files that nobody changed is still known.
  expect(sources.unchanged + sources.touched).toBeGreaterThanOrEqual(304 - moments)
  const after = await sandbox.run(['app', '--once'])
  expect([after.code, after.stderr]).toEqual([0, ''])
  expect(after.stdout).toContain('304 unchanged')
})
