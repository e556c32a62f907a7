import { resolve } from 'node:path'
import { runs } from '@millrace/testkit'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { PathNames } from '../paths/path-names.ts'
import { FileRecord } from './file-record.ts'
import { RecordMap } from './record-map.ts'
import { decodeSnapshot, encodeSnapshot } from './table-snapshot.ts'

const stamp = { dev: 1, ino: 2, size: 3, mtimeMs: 4.25, ctimeMs: 5 }
const hashOf = (digit: number): string => `${digit % 10}`.repeat(64)
const record = (path: string, digit: number): FileRecord =>
  new FileRecord(path, stamp, hashOf(digit), true)

const snapshotOf = (paths: readonly string[], digit: number) =>
  decodeSnapshot(encodeSnapshot(paths.map(path => ({ path, stamp, hash: hashOf(digit) }))))!

const path = fc.constantFrom(...'abcdefgh').map(name => `/${name}`)
const step = fc.oneof(
  fc.record({ kind: fc.constantFrom('get', 'peek', 'delete', 'walk'), path }),
  fc.record({ kind: fc.constant('set'), path }),
  fc.record({ kind: fc.constant('load'), paths: fc.uniqueArray(path) }),
  // As most runs do: in the order of the one before.
  fc.record({ kind: fc.constant('run'), paths: fc.uniqueArray(path) }),
)

test('records of snapshots and of this process are one map, in whichever order they are asked for', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), steps => {
      const map = new RecordMap(100)
      const model = new Map<string, string>()
      const look = (asked: string): void => expect(map.get(asked)?.hash).toBe(model.get(asked))
      for (const [index, taken] of steps.entries()) {
        if ('paths' in taken) {
          if (taken.kind === 'load') {
            const columns = snapshotOf(taken.paths, index)
            map.load(columns, columns.paths, () => true)
            for (const name of taken.paths) model.set(name, hashOf(index))
          }
          for (const name of taken.paths) look(name)
        } else if (taken.kind === 'set') {
          map.set(taken.path, record(taken.path, index))
          model.set(taken.path, hashOf(index))
        } else if (taken.kind === 'delete') {
          expect(map.delete(taken.path)).toBe(model.delete(taken.path))
        } else if (taken.kind === 'walk') {
          const walked = new Map([...map.entries()].map(([name, { hash }]) => [name, hash]))
          expect(walked).toEqual(model)
        } else if (taken.kind === 'get') look(taken.path)
        else expect(map.peek(taken.path)?.path).toBe(model.has(taken.path) ? taken.path : undefined)
        expect(map.size).toBe(model.size)
        expect([...map.paths()].sort()).toEqual([...model.keys()].sort())
      }
    }),
    { numRuns: runs(300) },
  )
})

test('a snapshot counts towards the limit, at once or when others come', () => {
  const paths = Array.from({ length: 50 }, (_, index) => `/${index}`)
  const columns = snapshotOf(paths, 1)
  const small = new RecordMap(20)
  small.load(columns, paths, () => true)
  expect(small.size).toBe(20)
  const map = new RecordMap(60)
  map.load(columns, paths, () => true)
  for (let index = 0; index < 100; index++) {
    map.set(`/new-${index}`, record(`/new-${index}`, 2))
    expect(map.size).toBe(Math.min(51 + index, 60))
  }
  // A file that was loaded and read anew is no other one.
  for (const asked of map.paths()) map.set(asked, record(asked, 3))
  expect(map.size).toBe(60)
})

test('names of another process are the same strings, asked for in their order or not', () => {
  const adopted = ['/root/b', '/root/a', '/root/c']
  for (const asked of [
    ['/root/b', '/root/a', '/root/c', '/root/b'],
    ['/root/c', 'b', '/root/./a'],
    ['/root/b', './b', '/root/new', '/root/a'],
  ]) {
    const names = new PathNames('/root', 100, true)
    expect(names.adopt(adopted)).toBe(adopted)
    expect(names.size).toBe(3)
    for (const name of asked) expect(names.intern(name)).toBe(resolve('/root', name))
  }
  const folded = new PathNames('/root', 100, false)
  expect(folded.adopt(['/root/A', '/root/a'])).toEqual(['/root/a', '/root/a'])
})
