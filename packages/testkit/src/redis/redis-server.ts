import { mkdtemp } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from '../net/free-port.ts'
import { GuardedProcess } from './guarded-process.ts'
import { redisBinary } from './redis-binary.ts'

/** Options of {@link RedisServer.start}. */
export interface RedisServerOptions {
  /** Port of 127.0.0.1; default a free one. */
  readonly port?: number
  /** Path of the server program; default {@link redisBinary}'s. */
  readonly program?: string
  /** Further arguments of the server program, such as `['--maxmemory', '10mb']`. */
  readonly args?: readonly string[]
  /** Called with the server's folder before its first start, to write files there and return arguments that name them. */
  readonly prepare?: (folder: string, port: number) => Promise<readonly string[]>
}

/** How long a server may take to answer its first PING, in ms. */
const startDeadline = 30_000

/**
 * A real Redis (or Valkey) server process on a port of 127.0.0.1, without persistence unless the arguments ask for it.
 * It ends with this process at the latest, however that ends.
 */
export class RedisServer {
  readonly port: number
  readonly #program: string
  readonly #args: readonly string[]
  readonly #folder: string
  #process: GuardedProcess

  private constructor(
    port: number,
    program: string,
    args: readonly string[],
    folder: string,
    process: GuardedProcess,
  ) {
    this.port = port
    this.#program = program
    this.#args = args
    this.#folder = folder
    this.#process = process
  }

  /**
   * Starts a server and waits until it answers.
   *
   * @throws RedisNotFoundError if there is no server program
   */
  static async start(options: RedisServerOptions = {}): Promise<RedisServer> {
    const program = options.program ?? redisBinary()
    for (let attempt = 1; ; attempt++) {
      const port = options.port ?? (await freePort())
      const folder = await mkdtemp(join(tmpdir(), 'millrace-redis-'))
      const prepared = (await options.prepare?.(folder, port)) ?? []
      const args = [...prepared, ...serverArgs(port, folder), ...(options.args ?? [])]
      const process = new GuardedProcess(program, args, folder)
      if (await answers(process, port)) return new RedisServer(port, program, args, folder, process)
      const { output } = process
      await process.remove()
      // Somebody else may have bound the port since it was found free.
      const taken = options.port === undefined && output.includes('Address already in use')
      if (!taken || attempt === 5) throw new Error(`The Redis server did not start:\n${output}`)
    }
  }

  get host(): '127.0.0.1' {
    return '127.0.0.1'
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`
  }

  get pid(): number {
    return this.#process.pid
  }

  get running(): boolean {
    return this.#process.running
  }

  /** The last lines the server logged. */
  get log(): string {
    return this.#process.output
  }

  /** Stops the process in place (SIGSTOP): connections stay open and connecting still succeeds, but nothing answers. */
  pause(): void {
    this.#process.signal('SIGSTOP')
  }

  /** Lets a paused server run on. */
  resume(): void {
    this.#process.signal('SIGCONT')
  }

  /** Ends the process without notice (SIGKILL); what was not persisted is lost. */
  async kill(): Promise<void> {
    await this.#process.kill()
  }

  /** Kills the server if it runs, starts the same program again with the same arguments on the same port and in the same folder, and waits until it answers. */
  async restart(): Promise<void> {
    await this.kill()
    this.#process = new GuardedProcess(this.#program, this.#args, this.#folder)
    if (!(await answers(this.#process, this.port))) {
      await this.kill()
      throw new Error(`The Redis server did not start again:\n${this.log}`)
    }
  }

  /** Ends the server and removes its files. May be called again. */
  async stop(): Promise<void> {
    await this.#process.remove()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}

function serverArgs(port: number, folder: string): string[] {
  return [
    ...['--port', `${port}`, '--bind', '127.0.0.1', '--dir', folder],
    ...['--save', '', '--appendonly', 'no'],
  ]
}

/** Waits until the server answers; false if it ended first. */
async function answers(process: GuardedProcess, port: number): Promise<boolean> {
  const end = Date.now() + startDeadline
  while (Date.now() < end) {
    if (!process.running) return false
    if ((await serverPid(port)) === process.pid) return true
    await sleep(5)
  }
  return false
}

/** The process id of the server behind a port: it may be another one than ours, which then could not bind it. */
function serverPid(port: number): Promise<number> {
  return new Promise(resolve => {
    let reply = ''
    const socket = connect({ port, host: '127.0.0.1' })
    const end = () => {
      socket.destroy()
      resolve(Number(/^process_id:(\d+)/m.exec(reply)?.[1] ?? 0))
    }
    socket.setTimeout(1_000, end)
    socket.on('error', end)
    socket.on('connect', () => socket.write('INFO server\r\n'))
    socket.on('data', chunk => {
      reply += chunk.toString('latin1')
      // A server that still loads its data set, or refuses for another reason, answers with an error line.
      if (reply.startsWith('-') || /^process_id:\d+\r/m.test(reply)) end()
    })
  })
}
