import { execFileSync } from 'node:child_process'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { DemoSandbox } from './demo.fixture.ts'

/** Any user that is not root: Debian's nobody. */
const UNPRIVILEGED = 65_534

let sandbox: DemoSandbox
beforeEach(async () => {
  sandbox = await DemoSandbox.create()
})
afterEach(() => sandbox[Symbol.asyncDispose]())

test('a port for privileged users costs one line, and another port is used', async () => {
  const demo = sandbox.start(['app', '--port', '1'], { uid: UNPRIVILEGED })
  const [, port] = await demo.printed(/Serving on http:\/\/127\.0\.0\.1:(\d+):/)
  demo.interrupt()
  const { code, stderr } = await demo.outcome()
  expect([code, stderr]).toEqual([
    0,
    `Port 1 is for privileged users: serving on ${port} instead\n`,
  ])
})

/** Needs the right to mount a file system of 4 MB. */
describe('a full disk', () => {
  const args = ['app', '--once']
  let caches: string
  beforeEach(async () => {
    caches = join(sandbox.folder, '.millrace')
    await mkdir(caches)
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', caches])
    for (let i = 0; i < 300; i++) {
      const names = Array.from({ length: 40 }, (_, j) => `value${i}of${j * i}`)
      await sandbox.write(
        `app/src/${i}.ts`,
        names.map(name => `export const ${name} = 1\n`).join(''),
      )
    }
  })
  afterEach(() => execFileSync('umount', ['-l', caches]))

  const fill = (bytes: number) => writeFile(join(caches, 'other'), Buffer.alloc(bytes, 1))

  test('leaves a run that caches in memory, in one line', async () => {
    await expect(fill(5_000_000)).rejects.toMatchObject({ code: 'ENOSPC' })
    const { code, stdout, stderr } = await sandbox.run(args)
    expect([code, stderr.split('\n').length]).toEqual([0, 2])
    expect(stderr).toMatch(/^Cannot keep caches in .* full\): this run caches in memory only\n$/)
    expect(stdout).toContain('304 parsed')
  })

  test('that fills up in the middle of a run costs one line, and later runs what was not stored', async () => {
    await fill(3_650_000)
    const { code, stdout, stderr } = await sandbox.run(args)
    expect([code, stderr.split('\n').length]).toEqual([0, 2])
    expect(stderr).toMatch(
      /^The cache of \w+ failed \(.* full\): going on without what the caches miss\n$/,
    )
    expect(stdout).toContain('304 parsed')
    await rm(join(caches, 'other'))
    expect(await sandbox.run(args)).toMatchObject({ code: 0, stderr: '' })
    const warm = await sandbox.run(args)
    expect([warm.code, warm.stderr]).toEqual([0, ''])
    expect(warm.stdout).toContain('304 unchanged')
  })
})
