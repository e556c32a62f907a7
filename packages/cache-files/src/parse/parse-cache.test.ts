import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { VirtualClock } from '@millrace/testkit'
import { type ParseResult, parseSync } from 'oxc-parser'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FileTable } from '../table/file-table.ts'
import { ParseCache } from './parse-cache.ts'

let folder: string
let files: FileTable
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-parse-'))
  files = new FileTable({ root: folder })
})
afterEach(() => rmSync(folder, { recursive: true }))

const at = (name: string) => join(folder, name)
const write = (name: string, text: string) => writeFileSync(at(name), text)
const words = () =>
  new ParseCache({ files, id: 'words@1', parse: text => text.split(/\s+/).filter(Boolean) })

describe('ParseCache', () => {
  test('parses real sources with a real parser, once per content', async () => {
    write('a.ts', 'export const one: number = 1')
    write('b.js', 'export const one = 1')
    const trees = new ParseCache<ParseResult>({
      files,
      id: 'oxc-parser@0.158',
      parse: (text, { variant }) => parseSync(`file${variant}`, text),
    })
    const { value, hash } = await trees.get('a.ts')
    expect(value.errors).toEqual([])
    expect(value.module.staticExports).toHaveLength(1)
    expect(hash).toBe(files.hashSync('a.ts'))
    await trees.get('b.js')
    expect((await trees.get('a.ts')).value).toBe(value)
    expect(trees.stats()).toMatchObject({ parses: 2, hits: 1, entries: 2, failures: 0 })
    expect(trees.stats().parseTime).toBeGreaterThan(0)
  })

  test('the text is all of the file, a byte order mark included, so that offsets are those of the file', async () => {
    write('a.json', '\uFEFF{"a":1}')
    const text = new ParseCache({ files, id: 'text@1', parse: text => text })
    expect((await text.get('a.json')).value).toBe('\uFEFF{"a":1}')
  })

  test('a rename, a touch, a copy and a change back find the old result', async () => {
    const cache = words()
    write('a.txt', 'one two')
    const { value } = await cache.get('a.txt')
    renameSync(at('a.txt'), at('b.txt'))
    expect((await cache.get('b.txt')).value).toBe(value)
    utimesSync(at('b.txt'), 1, 1)
    expect((await cache.get('b.txt')).value).toBe(value)
    write('b.txt', 'three')
    expect((await cache.get('b.txt')).value).toEqual(['three'])
    write('b.txt', 'one two')
    expect((await cache.get('b.txt')).value).toBe(value)
    expect(cache.stats().parses).toBe(2)
  })

  test('the same bytes under another extension are parsed for it', async () => {
    write('a.ts', 'let x = <T>y')
    write('a.tsx', 'let x = <T>y')
    const cache = new ParseCache({ files, id: 'v@1', parse: (_, { variant }) => variant })
    expect((await cache.get('a.ts')).value).toBe('.ts')
    expect((await cache.get('a.tsx')).value).toBe('.tsx')
  })

  test('calls for the same bytes share one run, and one caller’s abort leaves the others theirs', async () => {
    write('a', 'x')
    write('b', 'x')
    const gate = Promise.withResolvers<void>()
    const cache = new ParseCache({
      files,
      id: 'slow@1',
      variant: () => '',
      parse: async text => {
        await gate.promise
        return { text }
      },
    })
    const controller = new AbortController()
    const [first, second, third] = [
      cache.get('a', { signal: controller.signal }),
      cache.get('a'),
      cache.get('b'),
    ]
    const aborted = expect(first).rejects.toThrow('enough')
    // All three must have come: a run that its only caller gives up ends.
    while (cache.stats().hits < 2) await new Promise(setImmediate)
    controller.abort(new Error('enough'))
    await aborted
    gate.resolve()
    expect((await second).value).toBe((await third).value)
    expect(cache.stats().parses).toBe(1)
  })

  test('an edit during a parse is not hidden by it', async () => {
    write('a', 'old')
    const gate = Promise.withResolvers<void>()
    const cache = new ParseCache({
      files,
      id: 'slow@1',
      parse: async text => {
        if (text === 'old') await gate.promise
        return text
      },
    })
    const before = cache.get('a')
    while (cache.stats().parses === 0) await new Promise(setImmediate)
    write('a', 'new')
    const during = cache.get('a')
    gate.resolve()
    expect((await before).value).toBe('old')
    expect((await during).value).toBe('new')
    expect((await cache.get('a')).value).toBe('new')
  })

  test('what the parser throws reaches the caller and is not remembered', async () => {
    write('a', 'bad')
    let broken = true
    const cache = new ParseCache({
      files,
      id: 'flaky@1',
      parse: text => {
        if (broken) throw new SyntaxError('no')
        return text
      },
    })
    await expect(cache.get('a')).rejects.toThrow('no')
    broken = false
    expect((await cache.get('a')).value).toBe('bad')
    expect(cache.stats()).toMatchObject({ failures: 1, parses: 2 })
    await expect(cache.get('missing')).rejects.toMatchObject({ reason: 'missing' })
  })

  test('results stay within their bounds', async () => {
    const cache = new ParseCache({
      files,
      id: 'w@1',
      maxBytes: 1_000,
      parse: text => text,
      weigher: (value, sourceBytes) => value.length + sourceBytes,
    })
    for (let i = 0; i < 20; i++) {
      write(`${i}`, `${i}`.padEnd(100))
      await cache.get(`${i}`)
    }
    expect(cache.stats().bytes).toBeLessThanOrEqual(1_000)
    expect(cache.stats().entries).toBe(5)
  })

  test('parses are published with their outcome', async () => {
    const seen: unknown[] = []
    const note = (message: unknown, name: string | symbol) =>
      seen.push([String(name).split(':').at(-1), { ...(message as object) }])
    const channels = ['millrace:files:parse:start', 'millrace:files:parse:end']
    for (const name of channels) subscribe(name, note)
    write('a', 'one')
    const cache = new ParseCache({
      files,
      id: 'p@1',
      parse: () => {
        throw new Error('no')
      },
    })
    await cache.get('a').catch(() => undefined)
    for (const name of channels) unsubscribe(name, note)
    const message = { parser: 'p@1', path: at('a'), bytes: 3 }
    expect(seen).toEqual([
      ['start', message],
      ['end', { ...message, error: new Error('no') }],
    ])
  })

  test('a parser that never returns is given up after its timeout, and told so', async () => {
    writeFileSync(at('a'), 'x')
    const clock = new VirtualClock()
    let told: AbortSignal | undefined
    const trees = new ParseCache({
      files,
      id: 'slow@1',
      clock,
      timeout: 1_000,
      parse: (_, { signal }) => {
        told = signal
        return new Promise<string>(() => undefined)
      },
    })
    const answer = trees.get('a')
    answer.catch(() => undefined)
    while (told === undefined) await new Promise(setImmediate)
    clock.advance(1_000)
    await expect(answer).rejects.toMatchObject({
      code: 'ERR_MILLRACE_PARSE_TIMEOUT',
      parser: 'slow@1',
      path: at('a'),
      timeout: 1_000,
    })
    expect(told.aborted).toBe(true)
    expect(trees.stats()).toMatchObject({ entries: 0, failures: 1 })
  })

  test('bad options are named', () => {
    const parse = (text: string) => text
    expect(() => new ParseCache({ files, id: '', parse })).toThrow(
      'Expected `id` to be a string that is not empty, got an empty string',
    )
    expect(() => new ParseCache({ files, id: 'x', parse: undefined as never })).toThrow(
      'Expected `parse` to be a function, got undefined',
    )
  })
})
