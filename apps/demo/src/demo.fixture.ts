import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { vi } from 'vitest'
import { runCommand } from './command.ts'

const main = fileURLToPath(new URL('./main.ts', import.meta.url))

/** Above the window within which the demo does not trust file times, in ms. */
const FILE_TIME_STEPS = 100

/** A small source tree in a folder of its own, and the demo run on it: as a command within this process, or as a process of its own. */
export class DemoSandbox implements AsyncDisposable {
  readonly folder: string
  readonly #running = new Set<ChildProcess>()
  readonly #editing = new Set<{ close(): Promise<void> }>()
  #written = 0

  private constructor(folder: string) {
    this.folder = folder
  }

  static async create(): Promise<DemoSandbox> {
    const folder = await mkdtemp(join(tmpdir(), 'demo-'))
    // Also users other than the one who made it may run the demo here.
    await chmod(folder, 0o777)
    const sandbox = new DemoSandbox(folder)
    const files = {
      'app/package.json': '{"name":"app","version":"1.0.0"}',
      'app/index.ts': "import { a } from 'alpha'\nimport './local.ts'\nexport const b = a\n",
      'app/local.ts': "import fs from 'node:fs'\nexport default fs\n",
      'app/node_modules/alpha/package.json':
        '{"name":"alpha","version":"2.1.0","description":"First letter","license":"MIT"}',
      'app/node_modules/alpha/index.js': "exports.a = require('@greek/beta/deep')\n",
      'app/node_modules/@greek/beta/package.json': '{"name":"@greek/beta","version":"3.0.0"}',
      'app/node_modules/@greek/beta/deep.js': "module.exports = require('not-installed-here')\n",
    }
    for (const [path, text] of Object.entries(files)) await sandbox.write(path, text)
    return sandbox
  }

  async write(path: string, text: string | Uint8Array): Promise<string> {
    const file = join(this.folder, path)
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, text)
    this.#written = performance.now()
    return file
  }

  /** @param options of which `stdout` is a descriptor to print to, instead of what is read here */
  start(
    args: readonly string[],
    { uid, stdout }: { uid?: number; stdout?: number } = {},
  ): DemoProcess {
    const { INIT_CWD: _, ...env } = process.env
    const child = spawn(
      process.execPath,
      ['--conditions=millrace-source', '--disable-warning=ExperimentalWarning', main, ...args],
      {
        cwd: this.folder,
        env,
        stdio: ['ignore', stdout ?? 'pipe', 'pipe'],
        // A group of its own, as a shell makes it for a command.
        detached: true,
        ...(uid !== undefined && { uid }),
      },
    )
    this.#running.add(child)
    child.once('exit', () => this.#running.delete(child))
    return new DemoProcess(child)
  }

  /**
   * Edits a file again and again until it is closed: a demo begins to watch some time after it serves, and an edit before that is none.
   *
   * @param text to which a comment is added that differs each time
   */
  editing(path: string, text: string): { close(): Promise<void> } {
    const ended = new AbortController()
    const edits = (async () => {
      for (let edit = 0; !ended.signal.aborted; edit++) {
        await this.write(path, `${text} // ${edit}\n`)
        // Longer than an analysis takes, so that each edit is seen by itself; being aborted is how it ends.
        await setTimeout(1_000, undefined, { signal: ended.signal }).catch(() => {})
      }
    })()
    const editing = {
      close: async () => {
        ended.abort()
        this.#editing.delete(editing)
        await edits
      },
    }
    this.#editing.add(editing)
    return editing
  }

  /** Runs to the end, within this process: what a command does, without the time that Node takes to start. */
  async run(args: readonly string[], signal = new AbortController().signal): Promise<DemoOutcome> {
    // What was written a moment ago may change again within a step of the clock of files: the run after this one would read it anew.
    await setTimeout(Math.max(0, this.#written + FILE_TIME_STEPS - performance.now()))
    const printed = { stdout: '', stderr: '' }
    const log = vi.spyOn(console, 'log').mockImplementation((line: string) => {
      printed.stdout += `${line}\n`
    })
    const error = vi.spyOn(console, 'error').mockImplementation((line: string) => {
      printed.stderr += `${line}\n`
    })
    try {
      const code = await runCommand(args, { ...process.env, INIT_CWD: this.folder }, signal)
      return { code, ...printed }
    } finally {
      log.mockRestore()
      error.mockRestore()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const editing of this.#editing) await editing.close()
    for (const child of this.#running) {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    // Members of a fleet that was killed end a moment later, and may write until then.
    await rm(this.folder, { recursive: true, maxRetries: 10 })
  }
}

export interface DemoOutcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export class DemoProcess {
  readonly child: ChildProcess
  #stdout = ''
  #stderr = ''
  readonly #closed: Promise<unknown[]>

  constructor(child: ChildProcess) {
    this.child = child
    this.#closed = once(child, 'close')
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text
    })
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text
    })
  }

  /** Waits for a line on stdout and returns the match. */
  async printed(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.#stdout)
      if (match) return match
      const next = await Promise.race([once(this.child.stdout!, 'data'), this.#closed])
      if (typeof next[0] !== 'string' && !pattern.test(this.#stdout)) {
        throw new Error(`Ended without printing ${pattern}:\n${this.#stdout}${this.#stderr}`)
      }
    }
  }

  /** What it has printed so far. */
  get stdout(): string {
    return this.#stdout
  }

  get stderr(): string {
    return this.#stderr
  }

  interrupt(): void {
    this.child.kill('SIGINT')
  }

  async outcome(): Promise<DemoOutcome> {
    const [code] = (await this.#closed) as [number | null]
    return { code, stdout: this.#stdout, stderr: this.#stderr }
  }
}

/** The processes that a process has started, and those that they have. */
export function descendants(pid: number): number[] {
  const found = [pid]
  const parents = new Map(
    readdirSync('/proc')
      .filter(name => /^\d+$/.test(name))
      .map(name => [Number(name), statusOf(Number(name))?.parent]),
  )
  for (const each of found) {
    for (const [child, parent] of parents) if (parent === each) found.push(child)
  }
  return found.slice(1)
}

/** Whether a process is there, and no zombie that waits for a parent to look at it. */
export function isRunning(pid: number): boolean {
  const status = statusOf(pid)
  return status !== undefined && status.state !== 'Z'
}

function statusOf(pid: number): { state: string; parent: number } | undefined {
  try {
    // The name, in brackets, may hold anything.
    const [state = '', parent] = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')
    return { state, parent: Number(parent) }
  } catch {
    // It has ended.
    return undefined
  }
}
