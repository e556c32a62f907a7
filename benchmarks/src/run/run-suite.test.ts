import { describe, expect, test } from 'vitest'
import type { Case } from '../define.ts'
import { discoverSuites, loadSuite } from './discover-suites.ts'
import { runRound, startFixture } from './run-child.ts'
import { runSuite, toRows } from './run-suite.ts'

const folder = new URL('./testing/', import.meta.url)

const round = (suite: string, name: string) =>
  runRound(
    {
      kind: 'round',
      folder: folder.href,
      suite,
      case: name,
      contender: 'ours',
      quick: true,
      fixture: undefined,
    },
    60_000,
  )

describe('a round in its own process', () => {
  test('asynchronous runs are awaited one after the other', async () => {
    expect(await round('timing', 'one at a time')).toBeGreaterThan(0)
  })

  test('CPU time leaves out waiting', async () => {
    const wall = await round('timing', 'waiting, wall')
    const cpu = await round('timing', 'waiting, CPU')
    expect(wall).toBeGreaterThan(19)
    expect(cpu).toBeLessThan(wall / 2)
  })

  test.each([
    ['wrong result', 'wrong result'],
    ['wrong result later', 'wrong result'],
    ['throws later', 'broke'],
    ['rejects later', 'broke'],
    ['too few operations', 'Expected `operations` to be at least 1000, got 10'],
    ['exits', 'ended early with 3'],
  ])('%s fails with a message that names the case', async (name, message) => {
    await expect(round('broken', name)).rejects.toMatchObject({
      message: expect.stringMatching(`broken / ${name} / ours.*${message}`),
    })
  })

  test('a contender that never ends is stopped at the deadline', async () => {
    const task = { kind: 'round', folder: folder.href, suite: 'broken', quick: true } as const
    await expect(
      runRound({ ...task, case: 'never ends', contender: 'ours', fixture: undefined }, 1000),
    ).rejects.toThrow('gave no figure within 1000 ms')
  })
})

test('the fixture is another process than the contender, and ends with the case', async () => {
  const task = { folder: folder.href, suite: 'timing', case: 'fixture', quick: true }
  const fixture = await startFixture({ kind: 'fixture', ...task })
  const pid = await runRound(
    { kind: 'round', ...task, contender: 'ours', fixture: fixture.value },
    60_000,
  )
  expect(pid).not.toBe(process.pid)
  process.kill(pid, 0)
  await fixture.stop()
  expect(() => process.kill(pid, 0)).toThrow('ESRCH')
})

test('a case that fails is reported and the others still run', async () => {
  const names = new Set(['wrong result', 'throws later', 'wrong result in turn'])
  const suite = await loadSuite('broken', folder)
  const { rows, failures } = await runSuite(suite, {
    quick: true,
    folder,
    wanted: name => names.has(name),
  })
  expect(rows).toEqual([])
  expect(failures.map(message => message.split(':', 1)[0])).toEqual([
    'broken / wrong result / ours',
    'broken / throws later / ours',
    'broken / wrong result in turn / ours',
  ])
})

test('the figure of a contender is the median of its rounds', () => {
  const one = { name: 'c', unit: 'ops/s', goal: 2, peers: { p: null } } as unknown as Case
  const [row] = toRows(
    's',
    one,
    new Map([
      ['ours', [10, 1000, 30, 20, 25]],
      ['p', [5, 5, 5, 1, 5]],
    ]),
  )
  expect(row).toMatchObject({ ours: 25, peer: 5, ratio: 5, goal: 2, spread: [2, 200] })
})

test('suites are the folders with a suite file, and one of another name is refused by name', async () => {
  expect(discoverSuites(folder)).toEqual(['broken', 'timing'])
  await expect(loadSuite('nothing', folder)).rejects.toThrow(
    'There is no suite "nothing"; there are: broken, timing',
  )
})

test('every real suite loads without loading what it measures', async () => {
  for (const name of discoverSuites()) {
    const suite = await loadSuite(name)
    expect(suite.description.length).toBeGreaterThan(40)
  }
})
