import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { redisBinary } from './redis-binary.ts'
import { RedisServer, type RedisServerOptions } from './redis-server.ts'

/** Redis servers whose wall clock libfaketime moves by what is in a file, read anew at each look at the clock (Debian: faketime). */
export class MovableClock implements AsyncDisposable {
  readonly #folder: string
  /** By how much their clock is ahead of ours, in ms. */
  shift = 0

  private constructor(folder: string) {
    this.#folder = folder
  }

  static async create(): Promise<MovableClock> {
    const clock = new MovableClock(await mkdtemp(join(tmpdir(), 'millrace-clock-')))
    await clock.move(0)
    return clock
  }

  /** libc's allocator goes before jemalloc, which asks for the time before libfaketime is ready. */
  async start(options?: RedisServerOptions): Promise<RedisServer> {
    const program = join(this.#folder, 'redis-server')
    await writeFile(
      program,
      `#!/bin/sh
export LD_PRELOAD='/usr/$LIB/faketime/libfaketimeMT.so.1 libc.so.6' FAKETIME_TIMESTAMP_FILE='${join(this.#folder, 'shift')}'
export FAKETIME_NO_CACHE=1 DONT_FAKE_MONOTONIC=1
exec '${redisBinary()}' "$@"
`,
      { mode: 0o755 },
    )
    return RedisServer.start({ ...options, program })
  }

  /** Moves the clock by `ms` more. */
  async move(ms: number): Promise<void> {
    this.shift += ms
    const text = `${this.shift < 0 ? '' : '+'}${this.shift / 1_000}`
    // In one step, as a server that read an empty file would be back at our time for a moment.
    await writeFile(join(this.#folder, 'next'), text)
    await rename(join(this.#folder, 'next'), join(this.#folder, 'shift'))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true })
  }
}
