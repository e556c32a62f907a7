import { hash } from 'node:crypto'
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runs } from '@millrace/testkit'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { FileTable } from './file-table.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-loaded-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const NAMES = ['a', 'b', 'c', 'd', 'e']

const name = fc.constantFrom(...NAMES)
const step = fc.oneof(
  // As most runs do: all, in the order of the run before.
  { weight: 2, arbitrary: fc.constant({ kind: 'run' } as const) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('hash' as const), name }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('record' as const), name }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('write' as const),
      name,
      text: fc.constantFrom('x', 'y'),
    }),
  },
  fc.record({
    kind: fc.constantFrom(
      'replace' as const,
      'touch' as const,
      'remove' as const,
      'forget' as const,
    ),
    name,
  }),
  fc.record({
    kind: fc.constant('clock' as const),
    by: fc.constantFrom(-20_000, -3_000, 5_000, 9_000),
  }),
)

/** What both kinds of question come to, each in a table of its own that has loaded the same. */
const hashOf = (files: FileTable, path: string): string | undefined => {
  try {
    return files.hashSync(path)
  } catch {
    return undefined
  }
}
const recordedHash = (files: FileTable, path: string): string | undefined => {
  try {
    return files.knownSync(path)?.hash
  } catch {
    return undefined
  }
}
const trueHash = (path: string): string | undefined => {
  try {
    return hash('sha256', readFileSync(path), 'hex')
  } catch {
    return undefined
  }
}

test('hashes of a snapshot without records are what records give, at the same cost and in the same order', () => {
  let round = 0
  fc.assert(
    fc.property(fc.boolean(), fc.array(step, { minLength: 1, maxLength: 25 }), (racy, steps) => {
      const root = join(folder, `${round++}`)
      mkdirSync(root)
      for (const each of NAMES) writeFileSync(join(root, each), each)
      let now = Date.now() + 10_000
      const options = { root, clock: { now: () => now } }
      const first = new FileTable(options)
      for (const each of NAMES) first.hashSync(each)
      const dump = first.dump()
      // Where the clock of the next process is behind, or the files are from the future, stamps prove nothing.
      if (racy) now -= 9_500
      const [bare, recording] = [new FileTable(options), new FileTable(options)]
      for (const files of [bare, recording]) expect(files.load(dump)).toBe(NAMES.length)
      const ask = (asked: string, look: typeof hashOf): void => {
        const path = join(root, asked)
        const found = look(bare, path)
        expect(found).toBe(trueHash(path))
        expect(recordedHash(recording, path)).toBe(found)
      }
      for (const taken of steps) {
        if (taken.kind === 'run') for (const each of NAMES) ask(each, hashOf)
        else if (taken.kind === 'hash') ask(taken.name, hashOf)
        else if (taken.kind === 'record') ask(taken.name, recordedHash)
        else if (taken.kind === 'clock') now += taken.by
        else if (taken.kind === 'forget') {
          for (const files of [bare, recording]) files.forget(join(root, taken.name))
        } else {
          const path = join(root, taken.name)
          if (taken.kind === 'write') writeFileSync(path, taken.text)
          else if (taken.kind === 'replace') {
            writeFileSync(join(root, 'new'), 'replaced')
            renameSync(join(root, 'new'), path)
          } else if (trueHash(path) !== undefined) {
            if (taken.kind === 'touch') utimesSync(path, 1, 1)
            else unlinkSync(path)
          }
        }
        expect(bare.stats()).toEqual(recording.stats())
      }
      const orders = [bare, recording].map(files => {
        const next = new FileTable({ root, clock: { now: () => Date.now() + 60_000 } })
        next.load(files.dump())
        return next.lastOrder
      })
      expect(orders[0]).toEqual(orders[1])
    }),
    { numRuns: runs(60) },
  )
})
