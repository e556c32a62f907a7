import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { runs, seededRandom, VirtualClock } from '@millrace/testkit'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { FileTable } from '../table/file-table.ts'
import { ManualSource } from '../watch/manual-source.ts'
import { Watcher } from '../watch/watcher.ts'
import { Graph } from './graph.ts'

let root: string
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'millrace-overlap-')))
})
afterEach(() => rmSync(root, { recursive: true }))

const names = ['a', 'b', 'c', 'd']

test.each([
  ['files that are looked at', false],
  ['files that are watched', true],
])('calls that overlap in any way see one state each, over %s', async (_, watches) => {
  for (let seed = 1; seed <= runs(6); seed++) {
    const random = seededRandom(seed)
    const turns = async () => {
      for (let left = Math.floor(4 * random()); left > 0; left--) await turn()
    }
    const files = new FileTable({ root, clock: { now: () => Date.now() + 10_000 } })
    const source = new ManualSource(true)
    const watcher = watches ? new Watcher({ files, source, ignore: [] }) : undefined
    const clock = new VirtualClock()
    const graph = new Graph({ files, clock, maxResults: 5 })
    let state = 0
    /** All files change in one turn of the event loop, so that no moment has some of them new and some old. */
    const change = () => {
      state++
      for (const name of names) writeFileSync(join(root, name), `${state}`)
      source.changed(names.map(name => join(root, name)))
    }
    change()
    const text = graph.query('text', async (context, name) => {
      await turns()
      return (await context.read(name)).bytes.toString()
    })
    // Comes out the same for many states, so that what depends on it is cut off.
    const parity = graph.query('parity', async (context, name) => {
      await turns()
      return Number(await context.get(text, name)) % 2
    })
    const pair = graph.query('pair', async (context, key) => {
      const [one, other] = [await context.get(text, key[0]!), await context.get(parity, key[1]!)]
      await turns()
      return `${one} ${other} ${await context.get(text, key[1]!)}`
    })
    const [answers, least]: [string[], number[]] = [[], []]
    let waiting = 0
    const ask = async () => {
      waiting++
      const begun = state
      const key = `${names[Math.floor(4 * random())]}${names[Math.floor(4 * random())]}`
      try {
        answers.push(await graph.get(pair, key))
        least.push(begun)
      } catch (error) {
        expect(error).toMatchObject({ code: 'ERR_MILLRACE_UNSETTLED' })
      }
      waiting--
    }
    for (let call = 0; call < 60; call++) {
      void ask()
      if (random() < 0.15) change()
      await turns()
      clock.advance(10)
    }
    while (waiting > 0) {
      await turn()
      clock.advance(10)
    }
    expect(answers.length).toBeGreaterThan(10)
    for (const [index, answer] of answers.entries()) {
      const [one, parityOf, other] = answer.split(' ').map(Number)
      expect([other, parityOf], answer).toEqual([one, one! % 2])
      expect(one).toBeGreaterThanOrEqual(least[index]!)
    }
    await graph.close()
    await watcher?.close()
  }
})

test('a result that another look computed meanwhile does not pass for one of this look', async () => {
  const graph = new Graph({ files: new FileTable({ root }) })
  const variable = 'MILLRACE_OVERLAPPING_LOOKS'
  process.env[variable] = 'a'
  let gate = Promise.resolve()
  const slow = graph.query('slow', async context => {
    context.untracked()
    await gate
    return 1
  })
  const shared = graph.query('shared', async context => {
    const value = context.env(variable)
    if (value === 'a') await context.get(slow, '')
    return value
  })
  // Each asks at another moment after the gate, one of them when the trace has just been found to hold.
  const late = graph.query('late', async (context, steps) => {
    await gate
    for (let step = 0; step < Number(steps); step++) await undefined
    return context.get(shared, '')
  })
  expect(await graph.get(shared, '')).toBe('a')
  const opened = Promise.withResolvers<void>()
  gate = opened.promise
  const answers = [
    graph.get(shared, ''),
    ...Array.from({ length: 40 }, (_, steps) => graph.get(late, `${steps}`)),
  ]
  await turn()
  process.env[variable] = 'b'
  expect(await graph.get(shared, '')).toBe('b')
  process.env[variable] = 'a'
  opened.resolve()
  expect(await Promise.all(answers)).toEqual(Array.from({ length: 41 }, () => 'a'))
  // The look of before has held all the time, and was not taken anew.
  expect(graph.stats().conflicts).toBe(0)
  delete process.env[variable]
  await graph.close()
})
