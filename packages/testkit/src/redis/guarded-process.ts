import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'

/**
 * Waits for a line on its standard input. If the input ends without one, the process that held the other end has died,
 * and the guarded process is killed and its folder removed.
 */
const guardScript =
  'trap "" INT TERM HUP; read -r _ || { kill -9 "$1"; rm -rf -- "$2"; } 2>/dev/null'

/**
 * A child process with a folder of its own that never outlives this one: a small shell in another session holds the
 * read end of a pipe from here and cleans up when the pipe breaks, which the kernel sees to even on SIGKILL.
 */
export class GuardedProcess {
  readonly pid: number
  readonly #folder: string
  readonly #child: ChildProcess
  readonly #guard: ChildProcess
  readonly #exited: Promise<unknown>
  #output = ''

  constructor(command: string, args: readonly string[], folder: string) {
    const child = spawn(command, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
    this.#child = child
    // A command that cannot be run is told below, by its missing pid.
    this.#exited = once(child, 'close').catch(() => undefined)
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8')
      stream.on('data', (text: string) => (this.#output = (this.#output + text).slice(-4_000)))
      // Neither the output nor the child itself keeps a finished test run alive.
      ;(stream as unknown as { unref(): void }).unref()
    }
    child.unref()
    if (child.pid === undefined) throw new Error(`Cannot run ${command}`)
    this.pid = child.pid
    this.#folder = folder
    this.#guard = spawn('/bin/sh', ['-c', guardScript, 'guard', `${this.pid}`, folder], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    })
    this.#guard.unref()
    ;(this.#guard.stdin as unknown as { unref(): void }).unref()
    this.#guard.stdin?.on('error', () => undefined)
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** The last 4,000 characters the process wrote. */
  get output(): string {
    return this.#output
  }

  /** Sends a signal; does nothing after the process has ended. */
  signal(signal: NodeJS.Signals): void {
    if (this.running) this.#child.kill(signal)
  }

  /** Resolves when the process has ended. */
  async exited(): Promise<void> {
    if (!this.running) return
    this.#child.ref()
    await this.#exited
  }

  /** Kills the process at once, also a stopped one, and waits for its end; its folder stays. */
  async kill(): Promise<void> {
    this.signal('SIGKILL')
    await this.exited()
    this.#guard.stdin?.end('ended\n')
  }

  /** Kills the process and removes its folder. */
  async remove(): Promise<void> {
    await this.kill()
    await rm(this.#folder, { recursive: true, force: true })
  }
}
