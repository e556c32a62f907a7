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
