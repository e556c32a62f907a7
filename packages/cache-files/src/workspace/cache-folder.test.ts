import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { CacheFolderProblem } from './cache-folder.ts'
import { Workspace } from './workspace.ts'

let folder: string
let cacheFolder: string
let told: CacheFolderProblem[]
beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'millrace-cache-folder-')))
  cacheFolder = join(folder, 'cache')
  told = []
  mkdirSync(join(folder, 'src'))
  write('a', 'one two')
})
afterEach(() => rmSync(folder, { recursive: true }))

const write = (name: string, text: string) => writeFileSync(join(folder, 'src', name), text)
const kept = () => join(cacheFolder, 'v1')

function open(
  onCacheProblem: ((problem: CacheFolderProblem) => void) | null = problem => told.push(problem),
) {
  const workspace = new Workspace({
    root: join(folder, 'src'),
    cacheFolder,
    files: { clock: { now: () => Date.now() + 10_000 } },
    graph: { writeDelay: 1 },
    onCacheProblem: onCacheProblem ?? undefined,
  })
  const words = workspace.graph.query(
    'words',
    async (context, path) => (await context.read(path)).bytes.toString().split(' ').length,
    { version: '1' },
  )
  return { workspace, ask: (path = 'a') => workspace.graph.get(words, path) }
}

describe('a cache folder that is taken away while it is used', () => {
  test('is made anew, with what the process knows', async () => {
    const { workspace, ask } = open()
    expect(await ask()).toBe(2)
    await workspace.save()
    rmSync(cacheFolder, { recursive: true })
    write('a', 'one two three')
    expect(await ask()).toBe(3)
    await workspace.close()
    expect(readdirSync(kept()).sort()).toContain('files.snapshot')
    const next = open()
    expect(next.workspace.files.stats().files).toBe(1)
    expect(await next.ask()).toBe(3)
    await next.workspace.close()
    expect(told).toEqual([
      {
        folder: kept(),
        error: expect.objectContaining({ code: 'ERR_MILLRACE_CACHE_FILE', reason: 'removed' }),
      },
    ])
  })

  test('and comes back later gets what could not be written, though nothing changed since', async () => {
    const { workspace, ask } = open()
    expect(await ask()).toBe(2)
    rmSync(cacheFolder, { recursive: true })
    writeFileSync(cacheFolder, 'mine')
    await workspace.save()
    rmSync(cacheFolder)
    await workspace.save()
    const next = open()
    expect(next.workspace.files.stats().files).toBe(1)
    await Promise.all([workspace.close(), next.workspace.close()])
  })

  test('is told in one warning, however many files it held', async () => {
    const warned: unknown[] = []
    const note = (warning: Error & { code?: string }): void => void warned.push(warning.code)
    process.on('warning', note)
    try {
      const { workspace, ask } = open(null)
      const lengths = workspace.facts<number>({
        id: 'lengths',
        extract: ({ bytes }) => bytes.length,
      })
      expect([await ask(), (await lengths.get('a')).value]).toEqual([2, 7])
      await workspace.save()
      rmSync(cacheFolder, { recursive: true })
      write('a', 'one two three')
      expect([await ask(), (await lengths.get('a')).value]).toEqual([3, 13])
      await workspace.close()
      await new Promise(setImmediate)
    } finally {
      process.off('warning', note)
    }
    expect(warned.filter(code => /^MILLRACE/.test(`${code}`))).toEqual([
      'MILLRACE_FILES_CACHE_UNUSABLE',
    ])
  })

  test.each<[string, () => void]>([
    [
      'a file in its place',
      () => {
        rmSync(cacheFolder, { recursive: true })
        writeFileSync(cacheFolder, 'mine')
      },
    ],
    [
      'a folder in the place of what it keeps',
      () => {
        for (const name of readdirSync(kept())) rmSync(join(kept(), name))
        for (const name of ['graph.db', 'files.snapshot'])
          mkdirSync(join(kept(), name, 'x', 'y'), { recursive: true })
      },
    ],
  ])('%s is told once, and everything is answered', async (_, spoil) => {
    const { workspace, ask } = open()
    expect(await ask()).toBe(2)
    await workspace.save()
    spoil()
    write('a', 'one two three')
    write('b', 'one')
    expect([await ask(), await ask('b')]).toEqual([3, 1])
    await workspace.save()
    write('b', 'one two')
    expect(await ask('b')).toBe(2)
    await workspace.close()
    expect(told).toHaveLength(1)
    expect(told[0]).toMatchObject({ folder: kept(), error: { name: expect.any(String) } })
  })

  test.runIf(process.getuid?.() === 0)(
    'a folder that may not be written any more, likewise',
    () => {
      for (const name of ['b', 'c']) write(name, 'one two')
      chmodSync(folder, 0o755)
      mkdirSync(cacheFolder)
      chmodSync(cacheFolder, 0o777)
      const script = `
      process.setgid(65534); process.setuid(65534)
      const { chmodSync, readdirSync } = await import('node:fs')
      const { Workspace } = await import(${JSON.stringify(import.meta.resolve('./workspace.ts'))})
      let told = 0
      const ask = async (path, between) => {
        const workspace = new Workspace({
          root: ${JSON.stringify(join(folder, 'src'))},
          cacheFolder: ${JSON.stringify(cacheFolder)},
          files: { clock: { now: () => Date.now() + 10_000 } },
          onCacheProblem: () => told++,
        })
        between()
        const words = workspace.graph.query('words', async (context, path) => (await context.read(path)).bytes.length, { version: '1' })
        const length = await workspace.graph.get(words, path)
        await workspace.close()
        return length
      }
      const lock = mode => {
        for (const name of readdirSync(${JSON.stringify(kept())})) chmodSync(${JSON.stringify(kept())} + '/' + name, mode)
        chmodSync(${JSON.stringify(kept())}, mode | 0o111)
      }
      const answers = [await ask('a', () => {}), await ask('b', () => lock(0o444)), told, await ask('c', () => {}), told]
      lock(0o666)
      console.log(JSON.stringify(answers))`
      const child = spawnSync(
        process.execPath,
        [...process.execArgv, '--conditions=millrace-source', '--input-type=module', '-e', script],
        { encoding: 'utf8', cwd: import.meta.dirname },
      )
      expect(child.stdout.trim(), child.stderr).toBe('[7,7,1,7,2]')
    },
  )
})

describe('what lies in a cache folder', () => {
  test.runIf(process.platform === 'linux')('that is a pipe is not waited for', async () => {
    mkdirSync(kept(), { recursive: true })
    spawnSync('mkfifo', [join(kept(), 'files.snapshot')])
    const { workspace, ask } = open()
    expect(await ask()).toBe(2)
    expect(told).toMatchObject([{ error: { reason: 'not-a-file' } }])
    await workspace.close()
  })

  test('half written by processes that died goes, once it is old; what others write now stays', async () => {
    mkdirSync(kept(), { recursive: true })
    const [old, fresh] = ['files.snapshot.old.tmp', 'files.snapshot.fresh.tmp']
    for (const name of [old, fresh]) writeFileSync(join(kept(), name), 'half')
    const hoursAgo = Date.now() / 1_000 - 7_200
    utimesSync(join(kept(), old), hoursAgo, hoursAgo)
    const { workspace, ask } = open()
    await ask()
    await workspace.close()
    const temporary = readdirSync(kept()).filter(name => name.endsWith('.tmp'))
    expect(temporary).toEqual([fresh])
  })
})

test.runIf(existsSync('/proc/self/fd'))(
  'a workspace whose options are refused leaves nothing open',
  () => {
    for (const wrong of [{ graph: { maxNodes: 0 } }, { watch: { delay: -1 } }]) {
      expect(() => new Workspace({ root: join(folder, 'src'), cacheFolder, ...wrong })).toThrow()
    }
    const open = readdirSync('/proc/self/fd').map(name => {
      try {
        return readlinkSync(`/proc/self/fd/${name}`)
      } catch {
        // That of the list itself.
        return ''
      }
    })
    expect(open.filter(path => path.startsWith(cacheFolder))).toEqual([])
  },
)

test('each level may be closed with work under way, again, and used afterwards without harm', async () => {
  const { workspace, ask } = open()
  const facts = workspace.facts({ id: 'f', extract: ({ bytes }) => bytes.length })
  const parses = workspace.parseCache({ id: 'p', parse: text => text.length })
  const [answer] = await Promise.all([
    Promise.allSettled([ask(), facts.get('a'), parses.get('a')]),
    workspace.close(),
  ])
  for (const outcome of answer) {
    const code = outcome.status === 'rejected' ? outcome.reason.code : 'answered'
    expect(['answered', 'ERR_MILLRACE_GRAPH_CLOSED']).toContain(code)
  }
  await workspace.close()
  await expect(ask()).rejects.toMatchObject({ code: 'ERR_MILLRACE_GRAPH_CLOSED' })
  expect((await facts.get('a')).value).toBe(7)
  expect((await parses.get('a')).value).toBe(7)
  expect(workspace.files.readSync('a').bytes.length).toBe(7)
  await workspace.save()
  expect((await workspace.validate()).findings).toEqual([])
})
