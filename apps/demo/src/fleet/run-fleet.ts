import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { DemoError } from '../demo-error.ts'
import type { DemoOptions } from '../options.ts'
import type { LiveState } from '../serve/live-state.ts'

const MEMBERS = 3
const main = fileURLToPath(new URL('../main.ts', import.meta.url))

/**
 * Three processes of the demo on one Redis server of their own: an invalidation in the first is seen to reach the others. Then they go on
 * to serve, unless `once`, until `signal` aborts. Whatever happens, all of them end before it returns.
 *
 * @throws {DemoError} when there is no redis-server, or a member does not come up
 */
export async function runFleet(options: DemoOptions, signal: AbortSignal): Promise<void> {
  await using redis = options.redis === undefined ? await OwnRedis.start() : undefined
  const url = options.redis?.href ?? redis!.url
  await using members = new Members()
  const origins: string[] = []
  for (let number = 1; number <= MEMBERS; number++) {
    if (signal.aborted) return
    const port = options.port === 0 ? 0 : options.port + number - 1
    const origin = await members.start(number, [
      ...[options.directory, '--redis', url, '--port', `${port}`],
      ...(options.otlp === undefined ? [] : ['--otlp', options.otlp.href]),
    ])
    console.log(`Member ${number} on ${origin}`)
    origins.push(origin)
  }
  console.log(await invalidateInFirst(origins))
  if (options.once || signal.aborted) return
  console.log('Press "Invalidate tag" on one of the pages and look at the others (Ctrl-C ends)')
  await once(signal, 'abort')
}

async function receivedBy(origin: string): Promise<number> {
  const state = (await (await fetch(`${origin}/live.json`)).json()) as LiveState
  return state.received
}

/** Says how long it took until all others had heard of it. */
async function invalidateInFirst([first, ...others]: readonly string[]): Promise<string> {
  const before = await Promise.all(others.map(receivedBy))
  const start = performance.now()
  await fetch(`${first}/scenarios/invalidate-tag`, {
    method: 'POST',
    headers: { 'x-millrace-demo': '1' },
  })
  while (performance.now() - start < 10_000) {
    const now = await Promise.all(others.map(receivedBy))
    if (now.every((received, i) => received > before[i]!)) {
      const took = Math.round(performance.now() - start)
      return `An invalidation in member 1 reached ${others.length} others within ${took} ms`
    }
  }
  throw new DemoError('An invalidation in member 1 did not reach the others within 10 s')
}

/** The processes of a fleet, which end with it. */
class Members implements AsyncDisposable {
  readonly #children: ChildProcess[] = []

  /** Starts a member and waits until it serves. */
  async start(number: number, args: readonly string[]): Promise<string> {
    const child = spawn(process.execPath, [...process.execArgv, main, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#children.push(child)
    let output = ''
    const ended = once(child, 'exit')
    child.stderr.setEncoding('utf8').on('data', (text: string) => process.stderr.write(text))
    for await (const text of child.stdout
      .setEncoding('utf8')
      .iterator({ destroyOnReturn: false })) {
      output += text
      const origin = /Serving on (http:\S+?):? /.exec(output)?.[1]
      if (origin === undefined) continue
      // What else it prints is not read; it must not wait for a reader.
      child.stdout.resume()
      return origin
    }
    await ended
    throw new DemoError(`Member ${number} ended with ${child.exitCode ?? child.signalCode}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const running = this.#children.filter(
      ({ exitCode, signalCode }) => exitCode === null && signalCode === null,
    )
    await Promise.all(
      running.map(async child => {
        const ended = once(child, 'exit')
        child.kill('SIGINT')
        await ended
      }),
    )
  }
}

/** A redis-server for the fleet alone. */
class OwnRedis implements AsyncDisposable {
  readonly url: string
  readonly #child: ChildProcess
  readonly #folder: string

  private constructor(url: string, child: ChildProcess, folder: string) {
    this.url = url
    this.#child = child
    this.#folder = folder
  }

  static async start(): Promise<OwnRedis> {
    const folder = await mkdtemp(join(tmpdir(), 'millrace-fleet-'))
    const port = await freePort()
    const program = process.env.REDIS_SERVER_BIN ?? 'redis-server'
    const args = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', folder, '--save', '']
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'ignore'] })
    try {
      await Promise.race([
        once(child, 'spawn'),
        once(child, 'error').then(([error]) => Promise.reject(error as Error)),
      ])
      let output = ''
      for await (const text of child.stdout
        .setEncoding('utf8')
        .iterator({ destroyOnReturn: false })) {
        output += text
        if (output.includes('Ready to accept connections')) break
      }
      if (!output.includes('Ready')) throw new Error('it ended at once')
      child.stdout.resume()
      return new OwnRedis(`redis://127.0.0.1:${port}`, child, folder)
    } catch (error) {
      await rm(folder, { recursive: true, force: true })
      const { code, message } = error as NodeJS.ErrnoException
      const why = code === 'ENOENT' ? 'there is no such program' : message
      throw new DemoError(`Cannot start ${program} for the fleet: ${why}`, { cause: error })
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#child, 'exit')
    this.#child.kill()
    await ended
    await rm(this.#folder, { recursive: true, force: true })
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}
