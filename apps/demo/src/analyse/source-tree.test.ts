import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readManifests } from './manifests.ts'
import { walk } from './source-tree.ts'

let root: string
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'tree-'))
})
afterEach(() => rm(root, { recursive: true }))

async function write(path: string, text = ''): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true })
  await writeFile(join(root, path), text)
}

test('lists sources of every JavaScript and TypeScript extension, and nothing through links', async () => {
  for (const name of ['a.js', 'b.mjs', 'c.cjs', 'd.ts', 'e.d.mts', 'f.tsx', 'g.json', 'h.js.map']) {
    await write(`src/${name}`)
  }
  await write('.git/hook.js')
  await write('.millrace/cache.js')
  await write('pkg/package.json', '{}')
  await mkdir(join(root, 'folder.js'))
  await symlink(root, join(root, 'loop'))
  await symlink(join(root, 'nowhere.js'), join(root, 'dangling.js'))
  const tree = await walk(root)
  const names = (paths: readonly string[]) => paths.map(path => relative(root, path))
  expect(names(tree.sources)).toEqual(
    ['a.js', 'b.mjs', 'c.cjs', 'd.ts', 'e.d.mts', 'f.tsx'].map(name => `src/${name}`),
  )
  expect(names(tree.manifests)).toEqual(['pkg/package.json'])
  expect(tree.unreadable).toEqual([])
})

test('a root that is not there rejects', async () => {
  await expect(walk(join(root, 'nothing'))).rejects.toThrow('ENOENT')
})

test('an aborted walk stops', async () => {
  await expect(walk(root, AbortSignal.abort(new Error('stop')))).rejects.toThrow('stop')
})

test('manifests without a name, broken ones and other types are no packages', async () => {
  const files = {
    'good/package.json':
      '{"name":"good","version":"1.2.3","license":{"type":"MIT"},"dependencies":[]}',
    'bare/package.json': '{"name":"bare"}',
    'type/package.json': '{"type":"module"}',
    'broken/package.json': '{"name":',
    'null/package.json': 'null',
  }
  for (const [path, text] of Object.entries(files)) await write(path, text)
  const found = await readManifests([
    ...Object.keys(files).map(path => join(root, path)),
    join(root, 'gone/package.json'),
  ])
  expect(Object.fromEntries(found)).toEqual({
    [join(root, 'good')]: { name: 'good', version: '1.2.3' },
    [join(root, 'bare')]: { name: 'bare', version: '0.0.0' },
  })
})
