import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { RedisServer } from '@millrace/testkit'
import { Redis } from 'ioredis'
import { expect, test } from 'vitest'

const PROCESSES = 8

test('of eight processes with two hundred callers each, one loads a key, once', async () => {
  await using server = await RedisServer.start()
  const raw = new Redis(server.port)
  const script = join(import.meta.dirname, 'lease-process.fixture.ts')
  const execArgv = ['--conditions=millrace-source', '--disable-warning=ExperimentalWarning']
  const children = Array.from({ length: PROCESSES }, () =>
    fork(script, [server.url, `${PROCESSES}`], { execArgv }),
  )
  try {
    await Promise.all(children.map(child => once(child, 'message')))
    for (const key of ['a', 'b', 'c']) {
      const answers = children.map(child => once(child, 'message'))
      for (const child of children) child.send(key)
      for (const [values] of await Promise.all(answers)) expect(values).toEqual([1])
      expect(await raw.get(`loads:${key}`)).toBe('1')
    }
  } finally {
    for (const child of children) child.kill()
    raw.disconnect()
  }
})
