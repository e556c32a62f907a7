import type Bottleneck from 'bottleneck'
import { BottleneckPace } from './bottleneck-pace.ts'
import type { RedisSlots } from './redis-slots.ts'

/** What is used of bottleneck 2.19.5 beyond its published type. */
interface QueuedJob {
  readonly options: { readonly id: string; readonly priority: number }
  doDrop(): void
}

interface Node {
  readonly value: QueuedJob
  prev: Node | null
  next: Node | null
}

interface List {
  _first: Node | null
  _last: Node | null
  length: number
  shift(): QueuedJob | undefined
  decr(): void
}

interface Internals {
  readonly _queues: {
    readonly _lists: List[]
    push(job: QueuedJob): void
    getFirst(): { first?(): QueuedJob | undefined }
  }
  readonly _store: { __register__(...args: unknown[]): Promise<{ success: boolean }> }
}

/**
 * Takes jobs out of bottleneck's queue, for which it has no way: one that is given up would take its place in the queue, its part of the
 * reservoir and its time between starts all the same. O(1).
 */
export class BottleneckQueue {
  readonly #limiter: Bottleneck
  readonly #lists: List[]
  readonly #nodes = new Map<string, Node>()
  /** Withdrawn before they were in the queue, or while bottleneck asks whether they may start. */
  readonly #unwanted = new Set<string>()
  /** The job of which bottleneck asks that: it takes it off the head of its list afterwards, whatever is there. */
  #registering: string | undefined = undefined
  readonly #pace: BottleneckPace

  /** @param slots of a limiter whose starts are counted in Redis */
  constructor(limiter: Bottleneck, slots?: RedisSlots) {
    this.#limiter = limiter
    this.#pace = new BottleneckPace(limiter, id => this.#unwanted.delete(id), slots)
    const { _queues: queues, _store: store } = limiter as unknown as Internals
    this.#lists = queues._lists
    const push = queues.push.bind(queues)
    queues.push = job => {
      push(job)
      this.#nodes.set(job.options.id, this.#lists[job.options.priority]!._last!)
      this.#sweep(job.options.id)
    }
    for (const list of this.#lists) {
      const shift = list.shift.bind(list)
      list.shift = () => {
        const job = shift()
        if (job !== undefined) this.#nodes.delete(job.options.id)
        return job
      }
    }
    const register = store.__register__.bind(store)
    store.__register__ = async (...args) => {
      const id = queues.getFirst().first?.()?.options.id
      this.#registering = id
      let started = false
      try {
        const answer = await register(...args)
        started = answer.success
        return answer
      } finally {
        this.#registering = undefined
        this.#pace.registered(args[0] as string, started)
        if (id !== undefined && !started) this.#sweep(id)
      }
    }
  }

  /** Takes a job out. @returns whether it had not started yet; one about which bottleneck is asking may be let through all the same */
  withdraw(id: string): boolean {
    const status = this.#limiter.jobStatus(id) as string | null
    if (status === 'RUNNING') return this.#pace.withdraw(id)
    if (status !== 'RECEIVED' && status !== 'QUEUED') return false
    this.#unwanted.add(id)
    this.#sweep(id)
    return true
  }

  #sweep(id: string): void {
    const node = this.#nodes.get(id)
    if (node === undefined || id === this.#registering || !this.#unwanted.delete(id)) return
    this.#nodes.delete(id)
    const list = this.#lists[node.value.options.priority]!
    if (node.prev === null) list._first = node.next
    else node.prev.next = node.next
    if (node.next === null) list._last = node.prev
    else node.next.prev = node.prev
    list.length--
    list.decr()
    node.value.doDrop()
  }
}
