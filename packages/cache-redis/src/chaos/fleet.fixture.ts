import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { RedisServer } from '@millrace/testkit'
import { Redis } from 'ioredis'
import type {
  FileOptions,
  FinalReport,
  Order,
  ProcessOptions,
  RoundReport,
  Target,
} from './chaos-process.fixture.ts'
import type { Trouble } from './troubled-store.fixture.ts'

const SCRIPT = join(import.meta.dirname, 'chaos-process.fixture.ts')

/** Processes whose options differ, as those of services in the middle of a deployment do. */
const MIXED: readonly NonNullable<ProcessOptions['store']>[] = [
  {},
  { ttl: 5_000, retention: 5_000, timeout: 100, breaker: { failures: 2, cooldown: 50 } },
  { breaker: false, compression: true, maxRecovery: 3 },
  { ttl: 60_000, maxPending: 50, timeout: 200 },
]

/** As {@link MIXED}, of processes that keep values in files. */
const MIXED_FILES: readonly Omit<FileOptions, 'kind' | 'place'>[] = [
  {},
  {
    tiered: { backgroundWrites: true, l1Ttl: 300 },
    compression: { algorithm: 'gzip', threshold: 1 },
  },
  { tiered: { breaker: false, ttl: 1_000 } },
  { tiered: { breaker: { failures: 1, cooldown: 50 }, backgroundWrites: true }, structured: true },
]

/** Four processes that share a cache, and the truth to compare it with. */
export class Fleet {
  readonly #source: RedisServer
  readonly #truth: Redis
  readonly #options: ProcessOptions[]
  readonly #processes: ChildProcess[] = []

  private constructor(source: RedisServer, options: ProcessOptions[]) {
    this.#source = source
    this.#truth = new Redis(source.port)
    this.#options = options
  }

  /**
   * @param targets where each of the processes finds Redis
   * @param files where they keep their values; by default in Redis
   */
  static async start(
    targets: readonly [Target, Target, Target, Target],
    files?: Pick<FileOptions, 'kind' | 'place'>,
  ): Promise<Fleet> {
    const source = await RedisServer.start()
    const fleet = new Fleet(
      source,
      targets.map((target, index) => ({
        index,
        source: source.port,
        target,
        ...(files === undefined
          ? { store: MIXED[index]! }
          : { files: { ...files, ...MIXED_FILES[index] } }),
      })),
    )
    await Promise.all(targets.map((_, index) => fleet.#start(index)))
    return fleet
  }

  /**
   * Lets all processes read and change for a while, with a fault in between.
   *
   * @param doomed of which no report is expected
   */
  async round(ms: number, fault: () => unknown, doomed?: number): Promise<readonly RoundReport[]> {
    if (doomed !== undefined) this.#processes[doomed]!.send({ order: 'run', ms } satisfies Order)
    const reports = this.#all<RoundReport>({ order: 'run', ms }, doomed)
    await Promise.all([reports, fault()])
    return reports
  }

  /** What is wrong with the files of one process from now on. */
  trouble(index: number, trouble: Trouble): void {
    this.#processes[index]!.send({ order: 'trouble', trouble } satisfies Order)
  }

  /** What all processes hold once nothing is under way any more. */
  async settled(): Promise<readonly FinalReport[]> {
    await this.#all({ order: 'settle' })
    return this.#all<FinalReport>({ order: 'check' })
  }

  /** Kills a process wherever it is, and starts it again. What it had begun to change is not looked at any more. */
  async replace(index: number): Promise<void> {
    const dying = this.#processes[index]!
    dying.kill('SIGKILL')
    await once(dying, 'exit')
    const begun = Object.entries(await this.#truth.hgetall('intents'))
    const own = begun.filter(([intent]) => intent.split('#')[1] === `${index}`)
    if (own.length > 0) await this.#truth.sadd('unfinished', ...own.map(([, key]) => key))
    await this.#start(index)
  }

  async stop(): Promise<void> {
    for (const each of this.#processes) {
      each.kill('SIGKILL')
      // What it was writing would come to be in a folder that is being removed.
      if (each.exitCode === null && each.signalCode === null) await once(each, 'exit')
    }
    this.#truth.disconnect()
    await this.#source.stop()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  async #start(index: number): Promise<void> {
    const child = fork(SCRIPT, [JSON.stringify(this.#options[index])], {
      execArgv: [
        '--conditions=millrace-source',
        '--expose-gc',
        '--disable-warning=ExperimentalWarning',
      ],
    })
    this.#processes[index] = child
    await answer(child)
  }

  #all<T>(order: Order, except?: number): Promise<T[]> {
    return Promise.all(
      this.#processes
        .filter((_, index) => index !== except)
        .map(child => {
          const answered = answer<T>(child)
          child.send(order)
          return answered
        }),
    )
  }
}

/** The next message of a process; rejects if it ends instead. */
async function answer<T>(child: ChildProcess): Promise<T> {
  const done = new AbortController()
  const { signal } = done
  try {
    return await Promise.race([
      once(child, 'message', { signal }).then(([message]) => message as T),
      once(child, 'exit', { signal }).then(([code]) => {
        throw new Error(`A process ended with ${code}`)
      }),
    ])
  } finally {
    done.abort()
  }
}
