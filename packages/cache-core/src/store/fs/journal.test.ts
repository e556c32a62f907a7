import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Invalidations } from '../invalidations.ts'
import { SteadyClock } from '../steady-clock.ts'
import { StoreCounters } from '../store-counters.ts'
import { Journal } from './journal.ts'
import { encodeRecord } from './journal-record.ts'

const name = (letter: string): string => letter.repeat(22)

describe('a journal', () => {
  let folder: string
  let opened: Journal[]

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'millrace-journal-'))
    mkdirSync(join(folder, 'temporary'))
    opened = []
  })
  afterEach(() => {
    for (const journal of opened) journal.close()
    rmSync(folder, { recursive: true })
  })

  function open(): { journal: Journal; known: Invalidations } {
    const known = new Invalidations()
    const journal = new Journal(folder, known, new SteadyClock(), new StoreCounters())
    opened.push(journal)
    return { journal, known }
  }
  const files = (): string[] => readdirSync(folder).filter(file => file.startsWith('journal'))
  const at = (epoch: number): { epoch: number; at: number } => ({ epoch, at: 0 })

  test('goes on in a new file under the same versions, without what is settled', () => {
    const { journal, known } = open()
    const first = known.epoch
    journal.append('key', name('a'), false)
    const settled = known.epoch
    const value = { version: settled, tags: [] }
    journal.append('key', name('b'), false)
    const last = known.epoch
    journal.rotate(settled)
    expect(files()).toEqual(['journal-2'])
    expect(journal.bytes).toBeLessThan(140)
    for (const { known: later } of [{ known }, open()]) {
      expect(later.epoch).toBeGreaterThan(last)
      expect(later.isDeleted(name('a'), { version: first, tags: [] })).toBe(false)
      expect(later.isDeleted(name('b'), value)).toBe(true)
      expect(later.isDeleted(name('b'), { version: last, tags: [] })).toBe(false)
      expect(later.admits(at(settled - 1), name('c'), [])).toBe(false)
      expect(later.admits(at(settled), name('c'), [])).toBe(true)
      expect(later.admits(at(settled), name('b'), [])).toBe(false)
    }
  })

  test('is left by those who read along, and what they add behind the seal is not lost', () => {
    const [one, two, three] = [open(), open(), open()]
    one.journal.append('tag', name('t'), true)
    one.journal.rotate(one.known.epoch)
    // Neither has read the seal yet.
    two.journal.append('key', name('a'), false)
    three.journal.rotate(0)
    for (const { journal, known } of [one, two, three]) {
      journal.catchUp()
      expect(known.isDeleted(name('a'), { version: one.known.epoch - 64, tags: [] })).toBe(true)
    }
    expect(new Set([one, two, three].map(({ known }) => known.epoch)).size).toBe(1)
  })

  test('that was sealed by a process that died is gone on with by the next', () => {
    const { journal, known } = open()
    journal.append('key', name('a'), false)
    const settled = known.epoch
    journal.append('key', name('b'), false)
    appendFileSync(join(folder, 'journal-1'), encodeRecord('s', `${settled}`.padStart(16, '0')))
    const next = open()
    expect(files()).toEqual(['journal-2'])
    next.journal.append('key', name('c'), false)
    journal.append('key', name('d'), false)
    next.journal.catchUp()
    for (const letter of ['b', 'c', 'd']) {
      const old = { version: settled, tags: [] }
      expect(known.isDeleted(name(letter), old)).toBe(true)
      expect(next.known.isDeleted(name(letter), old)).toBe(true)
    }
  })

  test('finds its way again behind a torn record', () => {
    const { journal, known } = open()
    journal.append('key', name('a'), false)
    appendFileSync(join(folder, 'journal-1'), 'kAAAA')
    journal.append('key', name('b'), false)
    const torn = known.epoch
    expect(known.isDeleted(name('c'), { version: torn - 1, tags: [] })).toBe(true)
    journal.append('key', name('d'), false)
    expect(known.epoch).toBe(torn + 32)
    expect(known.isDeleted(name('c'), { version: torn, tags: [] })).toBe(false)
    expect(known.isDeleted(name('d'), { version: torn, tags: [] })).toBe(true)
    expect(statSync(join(folder, 'journal-1')).size).toBe(62 + 32 + 5 + 32 + 32)
  })
})
