import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { freePort, RedisServer } from '@millrace/testkit'
import { inRealTime } from '@millrace/testkit/vitest'
import { Redis } from 'ioredis'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type DemoOutcome, DemoSandbox } from './demo.fixture.ts'

let sandbox: DemoSandbox
beforeEach(async () => {
  sandbox = await DemoSandbox.create()
})
afterEach(() => sandbox[Symbol.asyncDispose]())

/** The sandbox's tree, without the live page. */
const args = ['app', '--once']

describe('a demo on Redis', inRealTime(), () => {
  test('the caches are in Redis, and a second run finds them', async () => {
    await using redis = await RedisServer.start()
    const onRedis = [...args, '--redis', `redis://127.0.0.1:${redis.port}`]
    const first = await sandbox.run(onRedis)
    expect(first.stdout).toContain('app: cold run')
    // A server that stands still takes nothing, and what a run could not keep it tells of.
    const whole = async (outcome: DemoOutcome) => {
      while (outcome.stderr !== '') {
        expect(outcome.stderr).toMatch(/^The cache of \w+ failed .+\n$/)
        outcome = await sandbox.run(onRedis)
      }
      return outcome
    }
    await whole(first)
    const { stdout } = await whole(await sandbox.run(onRedis))
    expect(stdout).toContain('app: warm run')
    expect(stdout).toMatch(/package store +4 +0 +100.0 %/)
    expect(await readdir(sandbox.folder)).not.toContain('.millrace')
  })

  test('where Redis cannot be reached, SQLite takes over with what it has', async () => {
    await sandbox.run(args)
    const port = await freePort()
    const { code, stdout, stderr } = await sandbox.run([
      ...args,
      '--redis',
      `redis://:secret@127.0.0.1:${port}`,
    ])
    expect(code).toBe(0)
    expect(stderr).toMatch(
      new RegExp(
        `^Redis at 127\\.0\\.0\\.1:${port} cannot be used \\(connection refused\\): caching in SQLite\n$`,
      ),
    )
    expect(stdout).toContain('app: warm run')
  })

  test('where Redis fails in the middle, the run goes on without it', async () => {
    await using redis = await RedisServer.start()
    const registry = createHttpServer(async (_, response) => {
      await redis.stop()
      response.writeHead(404).end()
    }).listen(0, '127.0.0.1')
    await once(registry, 'listening')
    const { port } = registry.address() as AddressInfo
    const { code, stdout, stderr } = await sandbox.run([
      ...args,
      '--redis',
      `redis://127.0.0.1:${redis.port}`,
      '--registry',
      `http://127.0.0.1:${port}`,
    ])
    registry.close()
    expect(code).toBe(0)
    // The first that fails is told of: what was found out of the sources may still be on its way there.
    expect(stderr).toMatch(
      /^The cache of (?:packages failed \d+ times: asked the registry instead|\w+ failed \(.+\): going on without what the caches miss)$/m,
    )
    expect(stdout).toContain('4 not in it')
  })

  test.each([
    ['never answers', 'no answer within 5,000 ms', () => createServer()],
    [
      'is no Redis',
      'what answers there is no Redis',
      () => createHttpServer((_, response) => response.end('<p>')),
    ],
  ])('a server that %s costs one line, which says so', async (_, reason, create) => {
    const server: Server = create().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const sockets = new Set<{ destroy(): void }>()
    server.on('connection', socket => sockets.add(socket))
    const { port } = server.address() as AddressInfo
    const { code, stderr } = await sandbox.run([...args, '--redis', `redis://127.0.0.1:${port}`])
    for (const socket of sockets) socket.destroy()
    server.close()
    expect([code, stderr]).toEqual([
      0,
      `Redis at 127.0.0.1:${port} cannot be used (${reason}): caching in SQLite\n`,
    ])
  })

  test.each([
    ['', 'it wants a password'],
    [':not-the-password@', 'it refuses the password'],
  ])('a password that Redis does not take is told and not shown: %j', async (password, reason) => {
    await using redis = await RedisServer.start()
    const client = new Redis(redis.url)
    await client.config('SET', 'requirepass', 'the-password')
    client.disconnect()
    const { code, stderr } = await sandbox.run([
      ...args,
      '--redis',
      `redis://${password}127.0.0.1:${redis.port}`,
    ])
    expect([code, stderr]).toEqual([
      0,
      `Redis at 127.0.0.1:${redis.port} cannot be used (${reason}): caching in SQLite\n`,
    ])
  })

  test('others under the keys of the caches cost one line, without the words of a script', async () => {
    await using redis = await RedisServer.start()
    const asked = [...args, '--redis', redis.url]
    await sandbox.run(asked)
    const client = new Redis(redis.url)
    for (const key of await client.keys('*')) await client.set(key, 'garbage')
    const { code, stdout, stderr } = await sandbox.run(asked)
    client.disconnect()
    expect([code, stderr]).toEqual([
      0,
      expect.stringMatching(/^.*\(others keep something else under its keys\).*\n$/),
    ])
    expect(stdout).toContain('4 source files')
  })

  test('a Redis that goes, hangs and comes back while the page is served is told each time, there too', async () => {
    await using redis = await RedisServer.start()
    const at = `Redis at 127.0.0.1:${redis.port}`
    const [gone, back] = [
      `${at} does not answer: going on without it\n`,
      `${at} is back: caching in it again\n`,
    ]
    const demo = sandbox.start(['app', '--port', '0', '--redis', redis.url])
    const [, origin] = await demo.printed(/Serving on (http:\S+):/)
    const { body } = await fetch(`${origin}/events`)
    let events = ''
    // Where the test is made anew, its demo is ended without a word.
    const failed = (async () => {
      for await (const text of body!.pipeThrough(new TextDecoderStream())) events += text
    })().then(
      () => undefined,
      error => error,
    )
    const told = (line: string, times: number) =>
      expect
        .poll(() => demo.stderr)
        .toSatisfy(text => text.endsWith(line) && text.split(line).length > times)
    await redis.kill()
    await told(gone, 1)
    expect((await fetch(`${origin}/packages/alpha`)).status).toBe(200)
    await redis.restart()
    await told(back, 1)
    redis.pause()
    await told(gone, 2)
    redis.resume()
    await told(back, 2)
    // On a machine that stands still it may be gone once more; each time it is told once, there as here.
    expect(demo.stderr.replaceAll(gone + back, '')).toBe('')
    const times = () => events.split('does not answer: going on without it').length
    await expect.poll(times).toBe(demo.stderr.split(gone).length)
    demo.interrupt()
    expect(await failed).toBeUndefined()
    expect((await demo.outcome()).code).toBe(0)
  })
})
