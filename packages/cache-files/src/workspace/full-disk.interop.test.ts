import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { CacheFolderProblem } from './cache-folder.ts'
import { Workspace } from './workspace.ts'

/** Needs the right to mount a file system of 1 MB. */
let folder: string
let cacheFolder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-full-'))
  cacheFolder = join(folder, 'cache')
  mkdirSync(join(folder, 'src'))
  mkdirSync(cacheFolder)
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', cacheFolder])
})
afterEach(() => {
  execFileSync('umount', ['-l', cacheFolder])
  rmSync(folder, { recursive: true })
})

const count = 60
const write = (index: number, round: number) =>
  writeFileSync(join(folder, 'src', `${index}`), `${round} ${index} `.padEnd(200, 'x'))

/** What all levels say of every file, and how often the cache folder was said to be in trouble. */
async function round(told: CacheFolderProblem[]): Promise<{ answers: string[]; computed: number }> {
  await using workspace = new Workspace({
    root: join(folder, 'src'),
    cacheFolder,
    files: { clock: { now: () => Date.now() + 10_000 } },
    onCacheProblem: problem => told.push(problem),
  })
  // Letters that compression cannot make small.
  const noise = (seed: string) =>
    Array.from({ length: 300 }, (_, index) => Math.sin(index * seed.length + seed.charCodeAt(0)))
  const facts = workspace.facts({
    id: 'start',
    extract: ({ bytes }) => ({
      start: bytes.toString('latin1', 0, 5),
      noise: noise(bytes.toString()),
    }),
  })
  const start = workspace.graph.query(
    'start',
    async (context, path) => {
      const { bytes } = await context.read(path)
      return { start: bytes.toString('latin1', 0, 5), noise: noise(bytes.toString()) }
    },
    { version: '1' },
  )
  const answers = await Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const own = (await facts.get(`${index}`)).value.start
      return `${own}|${(await workspace.graph.get(start, `${index}`)).start}`
    }),
  )
  await workspace.save()
  return { answers, computed: workspace.graph.stats().computed }
}

test('a full disk costs work, is told once by each process, and nothing wrong is answered, then or later', async () => {
  for (let attempt = 0; attempt < 4; attempt++) {
    for (let index = 0; index < count; index++) write(index, attempt)
    const told: CacheFolderProblem[] = []
    const { answers } = await round(told)
    expect(answers).toEqual(
      Array.from({ length: count }, (_, index) => {
        const text = `${attempt} ${index} `.padEnd(200, 'x').slice(0, 5)
        return `${text}|${text}`
      }),
    )
    expect(told.length).toBeLessThanOrEqual(1)
    if (attempt === 3) expect(told).toHaveLength(1)
  }
  expect(readdirSync(join(cacheFolder, 'v1')).filter(name => name.endsWith('.tmp'))).toEqual([])
  execFileSync('mount', ['-o', 'remount,size=32m', cacheFolder])
  const told: CacheFolderProblem[] = []
  await round(told)
  expect((await round(told)).computed).toBe(0)
  expect(told).toEqual([])
})
