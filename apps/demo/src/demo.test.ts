import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { chmod, open, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { createServer, get } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { inRealTime } from '@millrace/testkit/vitest'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { DemoSandbox, descendants, isRunning } from './demo.fixture.ts'
import { EmbeddedRegistry } from './registry/embedded-registry.ts'
import type { Report } from './report/report.ts'
import type { LiveState } from './serve/live-state.ts'

let sandbox: DemoSandbox
beforeEach(async () => {
  sandbox = await DemoSandbox.create()
})
afterEach(() => sandbox[Symbol.asyncDispose]())

/** The status of a page asked for under another name than the machine's own. */
async function statusFor(url: string, host: string): Promise<number | undefined> {
  const [response] = await once(get(url, { headers: { host } }), 'response')
  response.resume()
  return response.statusCode
}

/** The sandbox's tree, without the live page. */
const args = ['app', '--once']

describe('a run', () => {
  test('analyses the tree and asks for every package it met', async () => {
    const { code, stdout, stderr } = await sandbox.run(args)
    expect(stderr).toBe('')
    expect(code).toBe(0)
    expect(stdout).toContain('app: cold run')
    expect(stdout).toContain('4 source files')
    expect(stdout).toContain('4 packages: 3 described by the registry, 1 not in it')
    expect(stdout).toContain('3 imports between packages, 1 within, 1 of Node')
    expect(stdout).toMatch(/Limiter: \d+ permits/)
    expect(stdout).toMatch(/Connections: [1-8] opened/)
    expect(stdout).toMatch(/facts +4 /)
    expect(stdout).toMatch(/Slowest trace\n {2}(package|source file) /)
  })

  test('a second one reads, parses and requests nothing, and says so', async () => {
    await sandbox.run(args)
    const { code, stdout } = await sandbox.run(args)
    expect(code).toBe(0)
    expect(stdout).toContain('app: warm run')
    expect(stdout).toContain('4 of 4 files have the size, times and inode of the last run')
    expect(stdout).toContain('4 of 4 packages came from the store without a request')
    expect(stdout).toMatch(/(?:x|No) faster than the last cold run/)
    expect(stdout).toMatch(/facts of files +4 +0 +100.0 %/)
    expect(stdout).toContain('0 opened')
    expect(stdout).toContain('0 results recomputed')
    expect(stdout).not.toContain('had other times')
  })

  test('an edit that others cannot see is cut off', async () => {
    await sandbox.run(args)
    await sandbox.write('app/local.ts', "import fs from 'node:fs'\nexport default fs // edited\n")
    const { stdout } = await sandbox.run(args)
    expect(stdout).toContain('3 unchanged, 0 touched, 0 copies, 1 parsed')
    expect(stdout).toContain('2 results recomputed, of which 1 cut off as they came out the same')
  })

  test('prints its report as JSON where that is asked for', async () => {
    const { code, stdout } = await sandbox.run([...args, '--json'])
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ temperature: 'cold', sources: { files: 4 } })
  })

  test('after edits only what changed is done again', async () => {
    await sandbox.run(args)
    await sandbox.write('app/local.ts', "import 'gamma'\n")
    await sandbox.write('app/new.ts', 'export {}\n')
    await utimes(join(sandbox.folder, 'app/index.ts'), 1, 1)
    const { stdout } = await sandbox.run(args)
    expect(stdout).toContain('app: mixed run')
    expect(stdout).toContain('5 source files')
    expect(stdout).toContain('2 unchanged, 1 touched, 0 copies, 2 parsed')
    expect(stdout).toContain(
      '1 file had other times and the bytes of the last run: read and hashed',
    )
    // The facts of two files, and what others see of them.
    expect(stdout).toContain('4 results recomputed, of which 0 cut off as they came out the same')
    expect(stdout).toContain('5 packages: 3 described by the registry, 2 not in it')
    expect(stdout).toContain('for 1 requests')
  })
})

describe('the live page', () => {
  test('serves the report, metrics, packages and graph, follows edits, and Ctrl-C ends it cleanly', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { port } = other.address() as AddressInfo
    const demo = sandbox.start(['app', '--port', `${port}`])
    const [, origin] = await demo.printed(/Serving on (\S+):/)
    other.close()
    expect(Number(new URL(origin!).port)).not.toBe(port)
    const page = (path: string, accept = '*/*') =>
      fetch(`${origin}${path}`, { headers: { accept } })

    const report = (await (await page('/report', 'application/json')).json()) as Report
    expect(report).toMatchObject({ temperature: 'cold', sources: { files: 4, parsed: 4 } })
    expect(await (await page('/report')).text()).toContain('app: cold run')

    const metrics = await (await page('/metrics')).text()
    expect(metrics).toMatch(/^demo_facts_seconds_count 4$/m)
    expect(metrics).toMatch(/^demo_http_pool_created_total [1-8]$/m)
    expect(metrics).toMatch(/^demo_registry_limiter_granted \d+$/m)
    expect(metrics).toMatch(/^millrace_files_parse_seconds_count 4$/m)
    expect(metrics).toMatch(/^nodejs_version_info/m)

    const alpha = await (await page('/packages/alpha')).json()
    expect(alpha).toMatchObject({
      versions: ['2.1.0'],
      imports: ['@greek/beta'],
      dependents: ['app'],
      registry: { latest: '2.1.0', license: 'MIT', description: 'First letter' },
    })
    const beta = await (await page('/packages/@greek%2Fbeta')).json()
    expect(beta).toMatchObject({ name: '@greek/beta', registry: { latest: '3.0.0' } })
    expect(await (await page('/packages/not-installed-here')).json()).toMatchObject({
      registry: null,
    })

    const found = async (text: string) =>
      ((await (await page(`/search?q=${text}`)).json()) as { name: string }[]).map(
        ({ name }) => name,
      )
    expect(await found('a')).toEqual(['app', 'alpha', '@greek/beta', 'not-installed-here'])
    expect(await found('%22')).toEqual([])
    expect(await (await page('/graph?around=alpha')).json()).toMatchObject({
      name: 'alpha',
      dependents: [{ name: 'app' }],
      imports: [{ name: '@greek/beta' }],
    })
    expect((await page('/graph?around=nothing')).status).toBe(404)

    const live = await page('/')
    expect(live.headers.get('content-security-policy')).toContain("script-src 'self'")
    expect(live.headers.get('content-type')).toContain('text/html')
    expect(await (await page('/snapshot.json')).text()).toContain('demo_http_pool')
    const scenario = (headers: Record<string, string>, name = 'invalidate-tag') =>
      fetch(`${origin}/scenarios/${name}`, { method: 'POST', headers })
    expect((await scenario({})).status).toBe(403)
    expect((await scenario({ 'x-millrace-demo': '1' })).status).toBe(202)
    expect((await scenario({ 'x-millrace-demo': '1' }, 'no-such')).status).toBe(404)

    for (const path of [
      '//',
      '/packages/nothing',
      '/packages/%',
      '/nothing',
      '/packages/__proto__',
    ]) {
      expect((await page(path)).status).toBe(404)
    }
    expect((await fetch(`${origin}/report`, { method: 'POST' })).status).toBe(405)
    for (const path of ['/', '/report', '/metrics', '/graph', '/packages/alpha', '/events']) {
      expect([path, await statusFor(`${origin}${path}`, 'rebound.example')]).toEqual([path, 403])
    }

    const edits = sandbox.editing('app/local.ts', "import fs from 'node:fs'\nexport default fs")
    await demo.printed(/local\.ts\): 2 results recomputed, of which 1 cut off/)
    await edits.close()
    // What is shown is the tree as it is now, which imports another package, has one more and one under another name.
    await sandbox.write('app/local.ts', "import 'gamma'\n")
    await sandbox.write('app/node_modules/delta/package.json', '{"name":"delta","version":"1.0.0"}')
    await sandbox.write('app/node_modules/delta/index.js', "require('alpha')\n")
    await sandbox.write('app/node_modules/@greek/beta/package.json', '{"name":"@greek/b"}')
    const imported = async (name: string) => {
      const around = await (await page(`/graph?around=${name}`)).json()
      return (around as { imports?: { name: string }[] }).imports?.map(each => each.name)
    }
    await expect.poll(() => imported('app')).toEqual(['alpha', 'gamma'])
    await expect.poll(() => imported('delta')).toEqual(['alpha'])
    await expect.poll(() => imported('@greek/b')).toEqual(['not-installed-here'])
    expect(await found('delta')).toEqual(['delta'])
    expect((await page('/packages/delta')).status).toBe(200)
    const { now, sources } = (await (await page('/report', 'application/json')).json()) as Report
    expect([sources.files, now]).toMatchObject([4, { files: 5, packages: 7 }])
    expect(await (await page('/report')).text()).toMatch(
      /^Now 5 source files, 7 packages, 5 imports between packages; \d+ changes followed, /m,
    )
    const marks = async () =>
      ((await (await page('/snapshot.json')).json()) as { marks: { text: string }[] }).marks
    expect((await marks()).map(({ text }) => text)).toContainEqual(
      expect.stringMatching(/^Changed app\/local\.ts: 2 recomputed, [01] cut off$/),
    )

    // Whatever is played when it ends.
    const names = ['kill-upstream', 'slow-upstream', 'edit-files', 'burst', 'hot-key']
    for (const name of names) {
      expect((await scenario({ 'x-millrace-demo': '1' }, name)).status).toBe(202)
    }
    demo.interrupt()
    const { code, stdout, stderr } = await demo.outcome()
    expect(code).toBe(0)
    expect(stderr).toMatch(new RegExp(`^Port ${port} is taken: serving on \\d+ instead\n$`))
    expect(stdout).toContain('everything is flushed')
  })
})

describe('bad input', () => {
  test.each([
    [['nowhere', '--once'], /^Cannot analyse \/.*\/nowhere: there is no such file or folder\n$/],
    [['app/index.ts', '--once'], /^Cannot analyse \/.*\/app\/index.ts: it is not a folder\n$/],
    [['--port', 'x'], /^Expected --port to be 0 to 65535, got "x"\n$/],
  ])('%j ends with exit code 1 and one line', async (args, line) => {
    const { code, stdout, stderr } = await sandbox.run(args)
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toMatch(line)
  })

  test('an unreadable file is left out and named', async () => {
    const secret = await sandbox.write('app/secret.ts', 'export {}')
    await chmod(secret, 0o000)
    // root reads everything: as root, run as a user who cannot.
    const options = process.getuid?.() === 0 ? { uid: 65_534 } : {}
    const { code, stdout, stderr } = await sandbox.start(args, options).outcome()
    expect(stderr).toBe(`Left out ${secret}: permission denied\n`)
    expect(code).toBe(0)
    expect(stdout).toContain('4 source files')
    expect(stdout).toContain('1 unreadable')
  })

  test('a syntax error is named by its place, and the rest goes on', async () => {
    await sandbox.write('app/broken.ts', 'export const x = 1\nlet = = 2\n')
    const { code, stdout, stderr } = await sandbox.run(args)
    expect(code).toBe(0)
    expect(stderr).toMatch(/^\/.*\/app\/broken\.ts:2:\d+: .* \(kept what could be parsed\)\n$/)
    expect(stdout).toContain('1 with syntax errors')
    expect((await sandbox.run(args)).stdout).toContain('5 unchanged')
  })

  test('a registry that is down leaves the analysis, and what it once answered', async () => {
    await using registry = new EmbeddedRegistry({
      manifests: async () => [{ name: 'alpha', version: '2.1.0' }],
      latency: [0, 1],
    })
    const url = await registry.listen()
    const asked = [...args, '--registry', url.href]
    await sandbox.run(asked)
    await registry[Symbol.asyncDispose]()
    await sandbox.write('app/local.ts', "import 'gamma'\n")
    const { code, stdout, stderr } = await sandbox.run(asked)
    expect(code).toBe(0)
    expect(stderr).toMatch(
      /^Registry http:\S+ cannot be reached \(connection refused\): 1 package without metadata/,
    )
    expect(stdout).toContain('5 packages: 1 described by the registry, 3 not in it, 1 without')
  })

  test('a registry that speaks no TLS costs one line', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const asked = [...args, '--registry', `https://127.0.0.1:${port}/`]
    const { code, stderr } = await sandbox.run(asked)
    server.close()
    expect(code).toBe(0)
    expect(stderr).toMatch(
      /^Registry https:\S+ cannot be reached \(it does not speak TLS\): 4 packages without .*\n$/,
    )
  })

  test('a registry that was never up costs one line', async () => {
    for (const name of ['a', 'b', 'c', 'd'])
      await sandbox.write(`app/${name}.ts`, `import '${name}'`)
    const { code, stdout, stderr } = await sandbox.run([
      ...args,
      '--registry',
      'http://127.0.0.1:1/',
    ])
    expect(code).toBe(0)
    expect(stderr).toMatch(
      /^Registry http:\/\/127\.0\.0\.1:1 cannot be reached \(connection refused\): 8 packages without .*\n$/,
    )
    expect(stdout).toContain('0 described by the registry')
  })

  test.each([
    ['no JSON', 200, 'hello'],
    ['JSON of another kind', 200, '[{"versions":7}]'],
    ['errors', 500, 'oops'],
    ['redirects in a circle', 302, ''],
  ])(
    'a registry that answers %s is survived, and is not said to be silent',
    async (_, status, body) => {
      // More than the breaker lets through.
      for (let i = 0; i < 20; i++) await sandbox.write(`app/${i}.ts`, `import 'package-${i}'`)
      const server = createServer((_request, response) =>
        response.writeHead(status, { location: '/again' }).end(body),
      )
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      const { port } = server.address() as AddressInfo
      const { code, stdout, stderr } = await sandbox.run([
        ...args,
        '--registry',
        `http://127.0.0.1:${port}/`,
      ])
      server.close()
      expect(code).toBe(0)
      expect(stdout).toContain('24 without an answer')
      expect(stderr).toMatch(
        /^Registry http:\S+ did not answer for every package \(.+\): 24 packages without .*\n$/,
      )
    },
  )

  test('a damaged cache is kept aside and begun anew', async () => {
    await sandbox.run(args)
    await writeFile(join(sandbox.folder, '.millrace/sources.db'), 'this is no database'.repeat(500))
    const { code, stdout, stderr } = await sandbox.run(args)
    expect(code).toBe(0)
    expect(stderr).toMatch(/^Cache \/.*sources\.db is damaged: kept as \S+, began a new one\n$/)
    expect(stdout).toContain('4 parsed')
    expect(stdout).toContain('4 of 4 packages came from the store')
    expect((await readdir(join(sandbox.folder, '.millrace'))).join()).toContain('corrupt')
    expect((await sandbox.run(args)).stdout).toContain('app: warm run')
  })

  test('caches that are removed while the page is served are begun anew, and are not said to be damaged', async () => {
    const demo = sandbox.start(['app', '--port', '0'])
    const [, origin] = await demo.printed(/Serving on (\S+):/)
    await rm(join(sandbox.folder, '.millrace'), { recursive: true, maxRetries: 10 })
    const headers = { 'x-millrace-demo': '1' }
    await fetch(`${origin}/scenarios/invalidate-tag`, { method: 'POST', headers })
    await expect
      .poll(() => demo.stderr)
      .toMatch(/^Cache \/.*packages\.db was removed while in use: went on with a new one$/m)
    expect(demo.stderr).not.toContain('damaged')
    demo.interrupt()
    expect((await demo.outcome()).code).toBe(0)
    expect((await sandbox.run(args)).code).toBe(0)
  })

  test('a second demo on the same caches shares them', async () => {
    const first = sandbox.start(['app', '--port', '0'])
    await first.printed(/Serving on/)
    const second = sandbox.start(['app', '--port', '0'])
    await second.printed(/app: warm run/)
    await second.printed(/Serving on/)
    const ends = [first, second].map(demo => {
      demo.child.kill('SIGTERM')
      return demo.outcome()
    })
    for (const { code, stdout, stderr } of await Promise.all(ends)) {
      expect([code, stderr]).toEqual([0, ''])
      expect(stdout).toMatch(/Stopped after .*; everything is flushed\.\n$/)
    }
    expect((await sandbox.run(args)).stdout).toContain('app: warm run')
  })

  test('a folder that cannot hold the cache leaves a run without one', async () => {
    await sandbox.write('.millrace', 'a file where the folder should be')
    const { code, stdout, stderr } = await sandbox.run(args)
    expect(stderr).toMatch(/^Cannot keep caches in \/.*\/\.millrace \(.+\): .* in memory only\n$/)
    expect(code).toBe(0)
    expect(stdout).toContain('4 parsed')
  })
})

describe('a fleet', inRealTime(), () => {
  test('of three processes on one Redis server sees what one of them invalidates, and an edit in all', async () => {
    const fleet = sandbox.start(['app', '--fleet', '--port', '0'])
    await fleet.printed(/^An invalidation in member 1 reached 2 others within \d+ (?:ms|s)$/m)
    const edits = sandbox.editing('app/local.ts', "import fs from 'node:fs'\nexport default fs")
    for (const member of [1, 2, 3]) {
      await fleet.printed(
        new RegExp(`^Member ${member}: 1 path changed \\(app/local\\.ts\\): 2 results`, 'm'),
      )
    }
    await edits.close()
    const family = descendants(fleet.child.pid!)
    // As a terminal does it: to all processes of the group at once.
    process.kill(-fleet.child.pid!, 'SIGINT')
    const { code, stdout, stderr } = await fleet.outcome()
    expect([code, stderr]).toEqual([0, ''])
    const origins = [...stdout.matchAll(/^Member \d on (http:\/\/127\.0\.0\.1:\d+)$/gm)]
    expect(origins).toHaveLength(3)
    for (const [, origin] of origins) await expect(fetch(origin!)).rejects.toThrow()
    await expect.poll(() => family.filter(isRunning)).toEqual([])
  })

  test.each([
    // Three members and the server, with whatever they have started.
    ['SIGKILL', 4],
    // While it starts.
    ['SIGTERM', 2],
  ] as const)(
    'that ends by %s takes its members and its server along',
    async (signal, processes) => {
      const fleet = sandbox.start(['app', '--fleet', '--port', '0'])
      const family = () => descendants(fleet.child.pid!)
      await expect.poll(() => family().length).toBeGreaterThanOrEqual(processes)
      if (signal === 'SIGKILL') await fleet.printed(/^Member 1 on/m)
      const all = family()
      fleet.child.kill(signal)
      await once(fleet.child, 'exit')
      await expect.poll(() => all.filter(isRunning)).toEqual([])
    },
  )

  test('says which member or server was ended, and the others go on', async () => {
    const fleet = sandbox.start(['app', '--fleet', '--port', '0'])
    await fleet.printed(/^Press "Invalidate tag"/m)
    const [, origin] = await fleet.printed(/^Member 1 on (\S+)$/m)
    const commands = new Map(
      descendants(fleet.child.pid!).map(pid => [
        pid,
        readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0'),
      ]),
    )
    const [redis] = commands.keys().filter(pid => commands.get(pid)![0]!.includes('redis-server'))
    const members = [...commands.keys()].filter(pid => commands.get(pid)!.includes('--redis'))
    expect(members).toHaveLength(3)
    process.kill(members[1]!, 'SIGKILL')
    await expect.poll(() => fleet.stderr).toBe('Member 2 ended with SIGKILL: 2 members left\n')
    const [, url] = await fleet.printed(/^Another member, .* -- app --redis (\S+)$/m)
    const another = sandbox.start(['app', '--port', '0', '--redis', url!])
    const [, its] = await another.printed(/Serving on (http:\S+):/)
    const headers = { 'x-millrace-demo': '1' }
    await fetch(`${origin}/scenarios/invalidate-tag`, { method: 'POST', headers })
    const received = async () =>
      ((await (await fetch(`${its}/live.json`)).json()) as LiveState).received
    await expect.poll(received).toBeGreaterThan(0)
    // It says so on its charts.
    const marks = async () => {
      const answer = await fetch(`${its}/snapshot.json`)
      return ((await answer.json()) as { marks: { text: string }[] }).marks.map(({ text }) => text)
    }
    await expect.poll(marks).toContain('Another process dropped what is tagged @greek')
    another.interrupt()
    expect(await another.outcome()).toMatchObject({ code: 0, stderr: '' })
    process.kill(redis!, 'SIGKILL')
    await expect
      .poll(() => fleet.stderr)
      .toMatch(/^The fleet's redis-server at 127\.0\.0\.1:\d+ ended with SIGKILL: members go on/m)
    expect((await fetch(origin!)).status).toBe(200)
    fleet.interrupt()
    expect((await fleet.outcome()).code).toBe(0)
    await expect.poll(() => [...commands.keys()].filter(isRunning)).toEqual([])
  })

  test('without a Redis server costs one line', async () => {
    vi.stubEnv('REDIS_SERVER_BIN', 'no-such-redis-server')
    const { code, stderr } = await sandbox.run(['app', '--fleet', '--once'])
    vi.unstubAllEnvs()
    expect(code).toBe(1)
    expect(stderr).toBe(
      'Cannot start no-such-redis-server for the fleet: there is no such program\n',
    )
  })
})

test.each([
  ['a report', [...args, '--json']],
  ['a help', ['--help']],
])('%s that cannot be written is told, and ends with exit code 1', async (_, given) => {
  await using full = await open('/dev/full', 'w')
  const demo = sandbox.start(given, { stdout: full.fd })
  const { code, stderr } = await demo.outcome()
  expect([code, stderr]).toEqual([
    1,
    'Cannot print to the standard output: no space left on the device\n',
  ])
})

test('without telemetry the work is the same, and nothing of it is told', async () => {
  const demo = sandbox.start(['app', '--port', '0', '--no-telemetry', '--load', '100'])
  const [, origin] = await demo.printed(/Serving on (http:\S+): /)
  const live = async () => (await fetch(`${origin}/live.json`)).json()
  // Its own load goes on, though nobody looks.
  await expect.poll(live).toMatchObject({ removals: { expired: expect.any(Number) } })
  expect(await (await fetch(`${origin}/metrics`)).text()).toBe('')
  expect((await fetch(`${origin}/`)).status).toBe(200)
  demo.interrupt()
  const { code, stdout, stderr } = await demo.outcome()
  expect([code, stderr]).toEqual([0, ''])
  expect(stdout).toContain('4 parsed')
})

test('with a collector, traces and metrics are sent to it', async () => {
  const paths = new Set<string | undefined>()
  const collector = createServer((request, response) => {
    paths.add(request.url)
    request.resume().on('end', () => response.end())
  }).listen(0, '127.0.0.1')
  await once(collector, 'listening')
  const { port } = collector.address() as AddressInfo
  const { code, stderr } = await sandbox.run([...args, '--otlp', `http://127.0.0.1:${port}`])
  collector.close()
  expect([code, stderr]).toEqual([0, ''])
  expect([...paths].sort()).toEqual(['/v1/metrics', '/v1/traces'])
})

test('a collector that cannot be reached costs no run, and one line', async () => {
  const { code, stdout, stderr } = await sandbox.run([...args, '--otlp', 'http://127.0.0.1:1'])
  expect(code).toBe(0)
  expect(stdout).toContain('app: cold run')
  expect(stderr).toMatch(/^The collector at 127\.0\.0\.1:1 does not take what it is sent \(.+\)\n$/)
})

test('an end in the middle keeps what was done', async () => {
  const interrupt = new AbortController()
  const silent = createServer(() => interrupt.abort()).listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const { port } = silent.address() as AddressInfo
  const asked = [...args, '--registry', `http://127.0.0.1:${port}/`]
  const { code, stdout } = await sandbox.run(asked, interrupt.signal)
  silent.closeAllConnections()
  silent.close()
  expect(code).toBe(0)
  expect(stdout).toBe('Interrupted after 4 files; what was found is cached.\n')
  expect((await sandbox.run(args)).stdout).toContain('4 unchanged')
})
