import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { requireFolder } from '../analyse/require-folder.ts'
import { DemoError } from '../demo-error.ts'
import type { DemoOptions } from '../options.ts'
import { counted } from '../report/counted.ts'
import { shownPath } from '../report/shown-path.ts'
import type { LiveState } from '../serve/live-state.ts'

const MEMBERS = 3
/** How often a server is started that ends at once. */
const ATTEMPTS = 5
const main = fileURLToPath(new URL('../main.ts', import.meta.url))

/**
 * Three processes of the demo on one Redis server of their own: an invalidation in the first is seen to reach the others. Then they go on
 * to serve, unless `once`, until `signal` aborts, and tell what an edit of the tree comes to in each. Whatever happens, all of them end
 * before it returns.
 *
 * @throws {DemoError} when there is nothing to analyse or no redis-server, or a member does not come up
 */
export async function runFleet(options: DemoOptions, signal: AbortSignal): Promise<void> {
  await requireFolder(options.directory)
  await using redis = options.redis === undefined ? await OwnRedis.start() : undefined
  const url = options.redis?.href ?? redis!.url
  await using members = new Members(signal)
  const starting = Array.from({ length: MEMBERS }, (_, i) =>
    members.start(i + 1, [
      ...[options.directory, '--redis', url],
      ...['--port', `${options.port === 0 ? 0 : options.port + i}`],
      ...(options.otlp === undefined ? [] : ['--otlp', options.otlp.href]),
      ...(options.registry === undefined ? [] : ['--registry', options.registry.href]),
    ]),
  )
  const origins = (await Promise.all(starting)).filter(origin => origin !== undefined)
  if (origins.length < MEMBERS) return
  for (const [i, origin] of origins.entries()) console.log(`Member ${i + 1} on ${origin}`)
  console.log(await invalidateInFirst(origins))
  if (options.once || signal.aborted) return
  console.log(
    'Press "Invalidate tag" on one of the pages, or edit a file of the tree, and look at the others (Ctrl-C ends)',
  )
  if (options.redis === undefined) {
    console.log(
      `Another member, or one in the place of one that ended: npm run demo -- ${shownPath(options.directory)} --redis ${url}`,
    )
  }
  members.tellEnds()
  redis?.tellEnd(signal)
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
  readonly #signal: AbortSignal

  constructor(signal: AbortSignal) {
    this.#signal = signal
    signal.addEventListener('abort', () => this.#interrupt(), { once: true })
  }

  /**
   * Starts a member and waits until it serves; what it tells of changes afterwards is passed on.
   *
   * @returns its address; undefined if the fleet is to end
   */
  async start(number: number, args: readonly string[]): Promise<string | undefined> {
    if (this.#signal.aborted) return undefined
    const child = spawn(process.execPath, [...process.execArgv, main, ...args], {
      // By the channel it notices when the fleet is gone.
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      // Ctrl-C in a terminal is for the fleet: a member that got it twice would end without flushing.
      detached: true,
    })
    this.#children.push(child)
    const served = Promise.withResolvers<string | undefined>()
    child.once('exit', () => served.resolve(undefined))
    createInterface({ input: child.stderr! }).on('line', line =>
      console.error(`Member ${number}: ${line}`),
    )
    createInterface({ input: child.stdout! }).on('line', line => {
      const origin = /Serving on (http:\S+?):? /.exec(line)?.[1]
      if (origin !== undefined) served.resolve(origin)
      if (/ results recomputed, /.test(line)) console.log(`Member ${number}: ${line}`)
    })
    const origin = await served.promise
    if (origin === undefined && !this.#signal.aborted) {
      throw new DemoError(`Member ${number} ended with ${child.exitCode ?? child.signalCode}`)
    }
    return origin
  }

  /** From now on each one that ends before the fleet does is told of. */
  tellEnds(): void {
    for (const [i, child] of this.#children.entries()) {
      const tell = () => {
        if (this.#signal.aborted) return
        const left = counted(this.#running().length, 'member')
        console.error(
          `Member ${i + 1} ended with ${child.exitCode ?? child.signalCode}: ${left} left`,
        )
      }
      if (hasEnded(child)) tell()
      else child.once('exit', tell)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = this.#running().map(child => once(child, 'exit'))
    // Once they were interrupted, a second time would end them in the middle.
    if (!this.#signal.aborted) this.#interrupt()
    await Promise.all(ended)
  }

  #interrupt(): void {
    for (const child of this.#running()) child.kill('SIGINT')
  }

  #running(): ChildProcess[] {
    return this.#children.filter(child => !hasEnded(child))
  }
}

/** Ends a server, and removes its folder, once the other end of its input is gone, whatever has ended that. */
const REAPER =
  'cat > /dev/null; kill "$1" && while kill -0 "$1"; do sleep 0.1; done; rm -rf -- "$2"'

class EndedAtOnceError extends Error {}

/** A redis-server for the fleet alone, which ends with it, also when that is killed. */
class OwnRedis implements AsyncDisposable {
  readonly url: string
  readonly #child: ChildProcess
  readonly #reaper: ChildProcess
  readonly #folder: string

  private constructor(url: string, child: ChildProcess, folder: string) {
    this.url = url
    this.#child = child
    this.#folder = folder
    this.#reaper = spawn('sh', ['-c', REAPER, 'sh', `${child.pid}`, folder], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    })
  }

  static async start(): Promise<OwnRedis> {
    for (let left = ATTEMPTS - 1; ; left--) {
      try {
        return await OwnRedis.#startOnce()
      } catch (error) {
        const { cause } = error as DemoError
        if (left === 0 || !(cause instanceof EndedAtOnceError)) throw error
      }
    }
  }

  /** On a port that is free now: until the server listens there, another process may have taken it. */
  static async #startOnce(): Promise<OwnRedis> {
    const folder = await mkdtemp(join(tmpdir(), 'millrace-fleet-'))
    const port = await freePort()
    const program = process.env.REDIS_SERVER_BIN ?? 'redis-server'
    const args = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', folder, '--save', '']
    const child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'ignore'],
      // Ctrl-C in a terminal is not for it: the members store what they have first.
      detached: true,
    })
    let redis: OwnRedis | undefined
    try {
      await Promise.race([
        once(child, 'spawn'),
        once(child, 'error').then(([error]) => Promise.reject(error as Error)),
      ])
      redis = new OwnRedis(`redis://127.0.0.1:${port}`, child, folder)
      let output = ''
      for await (const text of child.stdout
        .setEncoding('utf8')
        .iterator({ destroyOnReturn: false })) {
        output += text
        if (output.includes('Ready to accept connections')) break
      }
      if (!output.includes('Ready')) throw new EndedAtOnceError('it ended at once')
      child.stdout.resume()
      return redis
    } catch (error) {
      await redis?.[Symbol.asyncDispose]()
      await rm(folder, { recursive: true, force: true })
      const { code, message } = error as NodeJS.ErrnoException
      const why = code === 'ENOENT' ? 'there is no such program' : message
      throw new DemoError(`Cannot start ${program} for the fleet: ${why}`, { cause: error })
    }
  }

  /** From now on its end is told of, unless `signal` has aborted. */
  tellEnd(signal: AbortSignal): void {
    const child = this.#child
    const tell = () => {
      if (signal.aborted) return
      const how = child.exitCode ?? child.signalCode
      console.error(
        `The fleet's redis-server at ${new URL(this.url).host} ended with ${how}: members go on without it, each by itself`,
      )
    }
    if (hasEnded(child)) tell()
    else child.once('exit', tell)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // First, as the server's number may be another process's afterwards.
    const reaped = once(this.#reaper, 'exit')
    this.#reaper.kill('SIGKILL')
    await reaped
    if (!hasEnded(this.#child)) {
      const ended = once(this.#child, 'exit')
      this.#child.kill()
      await ended
    }
    await rm(this.#folder, { recursive: true, force: true })
  }
}

const hasEnded = ({ exitCode, signalCode }: ChildProcess): boolean =>
  exitCode !== null || signalCode !== null

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}
