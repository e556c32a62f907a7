import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { VirtualClock } from '@millrace/testkit'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FileTable } from '../table/file-table.ts'
import { Graph } from './graph.ts'

let root: string
let clock: VirtualClock
let graph: Graph
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'millrace-parts-'))
  clock = new VirtualClock()
  graph = new Graph({ files: new FileTable({ root }), clock })
})
afterEach(async () => {
  await graph.close()
  rmSync(root, { recursive: true })
})

const until = async (holds: () => boolean) => {
  while (!holds()) await turn()
}

describe('a part of a result', () => {
  test('of a part of a part is what it is of the whole, before and after an edit', async () => {
    const write = (text: string) => writeFileSync(join(root, 'a'), text)
    write('x:y:z')
    const whole = graph.query('whole', async (context, path) =>
      (await context.read(path)).bytes.toString(),
    )
    const list = graph.select(whole, 'list', text => text.split(':'))
    const first = graph.select(list, 'first', ([name]) => name)
    const sizes: number[] = []
    const size = graph.select(first, 'size', name => {
      sizes.push(name!.length)
      return name!.length
    })
    expect(await graph.get(size, 'a')).toBe(1)
    write('x:other')
    expect(await graph.get(size, 'a')).toBe(1)
    expect(sizes).toEqual([1])
    write('longer:other')
    expect(await graph.get(size, 'a')).toBe(6)
    expect(sizes).toEqual([1, 6])
  })

  test('is taken within its query: the graph refuses to be asked there', async () => {
    const whole = graph.query('whole', (_, key) => key)
    const asking = graph.select(whole, 'asking', text => graph.get(whole, `${text} too`))
    await expect(graph.get(asking, 'x')).rejects.toMatchObject({
      code: 'ERR_MILLRACE_NESTED_GET',
      message: expect.stringContaining('asking'),
    })
    const later = graph.select(whole, 'later', async text => {
      await turn()
      return graph.get(whole, `${text} too`)
    })
    await expect(graph.get(later, 'x')).rejects.toMatchObject({ code: 'ERR_MILLRACE_NESTED_GET' })
  })

  test('that never comes is ended by its timeout, and by nothing that the whole takes', async () => {
    const slow = Promise.withResolvers<string>()
    const whole = graph.query('whole', () => slow.promise)
    let begun = false
    const hung = graph.select(
      whole,
      'hung',
      () => {
        begun = true
        return new Promise<never>(() => undefined)
      },
      { timeout: 1_000 },
    )
    const answer = expect(graph.get(hung, '')).rejects.toMatchObject({
      code: 'ERR_MILLRACE_QUERY_TIMEOUT',
      query: 'hung',
    })
    await until(() => graph.stats().computed === 2)
    clock.advance(2_000)
    slow.resolve('x')
    await until(() => begun)
    await turn()
    clock.advance(1_000)
    await answer
  })

  test('fails as the whole does, and as its own function does; neither is kept', async () => {
    let fails = true
    const whole = graph.query('whole', (_, key) => {
      if (fails && key === 'whole') throw new RangeError('of the whole')
      return key
    })
    const part = graph.select(whole, 'part', text => {
      if (fails) throw new TypeError('of the part')
      return text.length
    })
    await expect(graph.get(part, 'whole')).rejects.toThrow(new RangeError('of the whole'))
    await expect(graph.get(part, 'other')).rejects.toThrow(new TypeError('of the part'))
    fails = false
    expect(await graph.get(part, 'whole')).toBe(5)
    expect(await graph.get(part, 'other')).toBe(5)
  })

  test('is not taken for a call that has left', async () => {
    const slow = Promise.withResolvers<string>()
    const whole = graph.query('whole', () => slow.promise)
    let taken = 0
    const part = graph.select(whole, 'part', text => {
      taken++
      return text
    })
    const leaving = new AbortController()
    const answer = graph.get(part, '', { signal: leaving.signal })
    await until(() => graph.stats().computed === 2)
    leaving.abort(new Error('left'))
    await expect(answer).rejects.toThrow('left')
    slow.resolve('x')
    expect(await graph.get(part, 'again')).toBe('x')
    expect(taken).toBe(1)
  })
})
