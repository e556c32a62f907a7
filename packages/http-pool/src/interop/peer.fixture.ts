import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A program that serves from a folder of its own until it is stopped. */
export class Peer {
  readonly folder: string
  readonly #program: string
  readonly #args: readonly string[]
  readonly #port: number
  #process: ChildProcess | undefined
  #output = ''

  private constructor(program: string, args: readonly string[], folder: string, port: number) {
    this.#program = program
    this.#args = args
    this.folder = folder
    this.#port = port
  }

  /**
   * @param files contents by name, written into the folder first
   * @param args a function of the folder
   * @param port answers when the program is ready
   */
  static async start(
    program: string,
    files: Record<string, string>,
    args: (folder: string) => string[],
    port: number,
  ): Promise<Peer> {
    const folder = await mkdtemp(join(tmpdir(), `http-pool-${program}-`))
    // Programs that are started by root serve as a user of their own.
    await chmod(folder, 0o755)
    for (const [name, content] of Object.entries(files)) {
      await writeFile(join(folder, name), content.replaceAll('$FOLDER', folder))
    }
    const peer = new Peer(program, args(folder), folder, port)
    await peer.run()
    return peer
  }

  async run(): Promise<void> {
    const process = spawn(this.#program, this.#args, { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#process = process
    let isMissing = false
    process.on('error', error => {
      isMissing = true
      this.#output += error.message
    })
    for (const stream of [process.stdout, process.stderr]) {
      stream.on('data', chunk => {
        this.#output += chunk
      })
    }
    for (const end = performance.now() + 60_000; performance.now() < end; ) {
      if (isMissing || process.exitCode !== null) break
      if (await answers(this.#port)) return
      await new Promise(resolve => setTimeout(resolve, 25))
    }
    throw new Error(`${this.#program} did not start:\n${this.#output}`)
  }

  /** As its administrator would. */
  signal(signal: NodeJS.Signals): void {
    this.#process?.kill(signal)
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    const process = this.#process
    if (process === undefined || process.exitCode !== null || process.signalCode !== null) return
    process.kill(signal)
    await once(process, 'exit')
  }

  async stop(): Promise<void> {
    await this.end('SIGTERM')
    await rm(this.folder, { recursive: true })
  }
}

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
