import { type Client, isCluster } from '../connection/client.ts'

/** What sends at the end of a turn. */
interface Gathering {
  flush(): void
}

/**
 * The end of a turn of the event loop, at which everything that was gathered is sent: in a Cluster by one write per node, however many
 * shards it has.
 */
export class TurnEnd {
  readonly #client: Client
  #waiting: Gathering[] = []

  constructor(client: Client) {
    this.#client = client
  }

  add(gathering: Gathering): void {
    if (this.#waiting.push(gathering) === 1) setImmediate(this.#end)
  }

  readonly #end = (): void => {
    const waiting = this.#waiting
    this.#waiting = []
    if (waiting.length === 1 || !isCluster(this.#client)) {
      for (const each of waiting) each.flush()
      return
    }
    // ioredis writes each command by itself; its own pipelines would add a promise and a copy of every argument.
    const streams = this.#client.nodes('master').flatMap(({ stream }) => stream ?? [])
    for (const stream of streams) stream.cork()
    try {
      for (const each of waiting) each.flush()
    } finally {
      for (const stream of streams) stream.uncork()
    }
  }
}
