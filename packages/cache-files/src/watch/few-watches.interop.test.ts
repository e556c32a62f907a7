import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'

/** In a user namespace a process may lower the limits that hold for it. */
const within = (limits: string, command: string) =>
  spawnSync('unshare', ['-U', '-r', 'sh', '-c', `${limits} && ${command}`], { encoding: 'utf8' })
const limited = (name: string, value: number): string =>
  `echo ${value} > /proc/sys/user/max_inotify_${name}`
const mayLimit = within(limited('watches', 5), 'true').status === 0

const program = join(import.meta.dirname, 'few-watches.fixture.ts')
const command = `exec "${process.execPath}" --conditions=millrace-source "${program}"`

describe.runIf(mayLimit)('where the system has no more watches', () => {
  test.each([
    // One for the folder of cookies, one for the root, one for each folder.
    ['for any folder', limited('watches', 1), [false, false]],
    ['for some folders', limited('watches', 3), [false, false]],
    ['for folders that come later', limited('watches', 8), [true, false]],
  ])('%s, what is not watched is looked at', (_, limits, complete) => {
    const { stdout, stderr, status } = within(limits, command)
    expect(stderr).toBe('')
    const told = stdout.trim().split('\n')
    expect(
      told.map(line => JSON.parse(line)).map(([outcome, , wrong]) => [outcome, wrong]),
    ).toEqual(Array(3).fill(['settled', []]))
    expect(told.slice(0, 2).map(line => JSON.parse(line)[1])).toEqual(complete)
    expect(status).toBe(0)
  })

  test('at all, that is said, and everything is looked at', () => {
    const { stdout, stderr, status } = within(limited('instances', 0), command)
    expect(stderr).toBe('')
    expect(stdout.trim().split('\n')).toEqual(Array(3).fill('["EMFILE",false,[]]'))
    expect(status).toBe(0)
  })
})
