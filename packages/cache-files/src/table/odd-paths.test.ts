import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Graph } from '../graph/graph.ts'
import { FileTable } from './file-table.ts'

let root: string
let files: FileTable
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'millrace-odd-paths-')))
  files = new FileTable({ root, clock: { now: () => Date.now() + 10_000 } })
})
afterEach(() => rmSync(root, { recursive: true, force: true }))

const at = (name: string) => join(root, name)

/** What every way to ask says of a path. */
async function outcomes(path: string): Promise<unknown[]> {
  const outcome = async (ask: () => unknown) => {
    try {
      await ask()
      return 'read'
    } catch (error) {
      return (error as { reason?: unknown }).reason ?? error
    }
  }
  return [
    await outcome(() => files.read(path)),
    await outcome(() => files.readSync(path)),
    await outcome(() => files.hashSync(path)),
    files.kindSync(path),
    files.folderSync(path).names,
  ]
}

describe('a path under which no file can be', () => {
  test.each([
    ['that is too long', 'x'.repeat(300)],
    ['that is too long as a whole', 'x/'.repeat(3_000)],
    ['with a null character', 'a\0b'],
    ['below a file', 'file/below'],
  ])('%s is missing', async (_, path) => {
    writeFileSync(at('file'), '')
    const missing = ['missing', 'missing', 'missing', 'none', undefined]
    expect(await outcomes(path)).toEqual(missing)
    const graph = new Graph({ files })
    const kind = graph.query('kind', (context, key) => context.kind(key))
    expect(await graph.get(kind, path)).toBe('none')
    await graph.close()
  })

  test('a circle of links is an error for that path, and noticed when it is broken', async () => {
    symlinkSync(at('b'), at('a'))
    symlinkSync(at('a'), at('b'))
    symlinkSync('.', at('self'))
    writeFileSync(at('fine'), 'fine')
    expect(await outcomes('a')).toEqual(['failed', 'failed', 'failed', 'other', undefined])
    const graph = new Graph({ files })
    const all = graph.query('all', async context => {
      const paths = context.glob('**/*')
      const texts = await Promise.all(
        paths.map(path =>
          context.read(path).then(
            ({ bytes }) => bytes.toString(),
            (error: { reason: string }) => error.reason,
          ),
        ),
      )
      return texts.join()
    })
    expect(await graph.get(all, '')).toBe('failed,failed,fine,not-a-file')
    unlinkSync(at('b'))
    writeFileSync(at('b'), 'whole')
    expect(await graph.get(all, '')).toBe('whole,whole,fine,not-a-file')
    await graph.close()
  })
})

describe.runIf(process.platform === 'linux')('what is no regular file', () => {
  test('a pipe, a socket and a device are refused at once, also where a file was', async () => {
    writeFileSync(at('pipe'), 'a file')
    expect(await outcomes('pipe')).toEqual(['read', 'read', 'read', 'file', undefined])
    unlinkSync(at('pipe'))
    spawnSync('mkfifo', [at('pipe')])
    const server = createServer().listen(at('socket'))
    await once(server, 'listening')
    const refused = ['not-a-file', 'not-a-file', 'not-a-file', 'other', undefined]
    expect(await outcomes('pipe')).toEqual(refused)
    for (const path of ['socket', '/dev/null', '/dev/zero', '/dev/tty']) {
      if (path === 'socket' || existsSync(path)) expect(await outcomes(path)).toEqual(refused)
    }
    server.close()
    await once(server, 'close')
  })

  test('a pipe into which another process writes is not emptied', async () => {
    spawnSync('mkfifo', [at('pipe')])
    const writer = spawn('sh', ['-c', 'echo hello > "$0"', at('pipe')])
    await outcomes('pipe')
    const reader = spawnSync('cat', [at('pipe')], { encoding: 'utf8' })
    expect(reader.stdout).toBe('hello\n')
    if (writer.exitCode === null) await once(writer, 'exit')
  })

  test('what the kernel makes up is read anew for each look, and an input as any other', async () => {
    const graph = new Graph({ files })
    const version = graph.query('version', async context => {
      const { bytes } = await context.read('/proc/version')
      return bytes.toString()
    })
    const text = await graph.get(version, '')
    expect(text).toContain('Linux')
    expect(await graph.get(version, '')).toBe(text)
    expect(graph.stats()).toMatchObject({ computed: 1, conflicts: 0 })
    await graph.close()
  })
})

describe.runIf(process.platform === 'linux')('names of files', () => {
  test('with line breaks, blanks, quotes and signs of patterns are names as others', async () => {
    const names = ['a\nb', ' ', '"q"', '*', '{a,b}', '\\', 'ü', '-rf', 'a:b', '\u2028']
    for (const name of names) writeFileSync(at(name), name)
    for (const name of names) expect(files.readSync(at(name)).bytes.toString()).toBe(name)
    expect(files.folderSync('.').names).toEqual([...names].sort())
    const next = new FileTable({ root, clock: { now: () => Date.now() + 10_000 } })
    expect(next.load(files.dump())).toBe(names.length)
    for (const name of names) expect(next.readSync(at(name)).bytes.toString()).toBe(name)
  })

  test('that are no text make nothing else unreachable', async () => {
    const odd = Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0x66, 0xff])])
    writeFileSync(odd, 'cannot be named')
    mkdirSync(Buffer.concat([odd, Buffer.from('d')]))
    writeFileSync(at('fine'), 'fine')
    const graph = new Graph({ files })
    const all = graph.query('all', async context => {
      const kinds = context.glob('**/*').map(path => context.kind(path))
      return kinds.join()
    })
    const found = await graph.get(all, '')
    // Their names come back with another letter, under which there is nothing.
    expect(found.split(',').sort()).toEqual(['file', 'none', 'none'])
    unlinkSync(odd)
    expect((await graph.get(all, '')).split(',').sort()).toEqual(['file', 'none'])
    await graph.close()
    rmSync(Buffer.concat([odd, Buffer.from('d')]), { recursive: true })
  })
})

test('`..` is taken by its letters, as `path.resolve` does, also where it follows a link', async () => {
  mkdirSync(at('x/y'), { recursive: true })
  symlinkSync(at('x/y'), at('link'))
  writeFileSync(at('f'), 'beside the link')
  writeFileSync(at('x/f'), 'beside its target')
  for (const path of ['link/../f', at('link/../f'), './x/../link/.././f']) {
    expect(files.resolve(path)).toBe(at('f'))
    expect(files.readSync(path).bytes.toString()).toBe('beside the link')
  }
})

test('an aborted read rejects with the reason, whatever that is, and what was known stays known', async () => {
  writeFileSync(at('large'), 'x'.repeat(2 ** 19))
  await files.read('large')
  const { hash } = files.readSync('large')
  for (const reason of [null, 0, 'text', new Error('enough')]) {
    writeFileSync(at('large'), 'y'.repeat(2 ** 19))
    const controller = new AbortController()
    const reading = files.read('large', { signal: controller.signal })
    controller.abort(reason)
    const [outcome] = await Promise.allSettled([reading])
    expect(outcome).toEqual({ status: 'rejected', reason })
  }
  expect(files.stats().errors).toBe(0)
  expect(files.peek('large')?.hash).toBe(hash)
})
