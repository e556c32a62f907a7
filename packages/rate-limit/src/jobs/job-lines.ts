import { DEFAULT_PRIORITY } from '../wait/order/priority-order.ts'
import type { Job } from './job.ts'

/** One start that bottleneck was asked for. */
export interface Start {
  readonly id: string
  readonly line: JobLine
}

/** Jobs that are alike to bottleneck, in order of arrival, and the starts that it was asked for for them. */
export interface JobLine {
  readonly name: string
  readonly priority: number
  readonly weight: number
  readonly expiration: number
  readonly jobs: Set<Job>
  readonly starts: Set<Start>
}

/**
 * Jobs that wait, by what they ask of bottleneck. Which start is whose is decided when it comes: the first job of its line has it, so
 * that one that is given up leaves its start to those behind it.
 */
export class JobLines {
  readonly #lines = new Map<string, JobLine>()
  readonly #arrivals = new Map<Job, JobLine>()

  /** How many wait. */
  get size(): number {
    return this.#arrivals.size
  }

  /** Their lines, in order of arrival. */
  get arrivals(): Iterable<JobLine> {
    return this.#arrivals.values()
  }

  add(job: Job, expiration: number): JobLine {
    const { priority = DEFAULT_PRIORITY, weight = 1 } = job.options
    const name = `${priority} ${weight} ${expiration}`
    let line = this.#lines.get(name)
    if (line === undefined) {
      line = { name, priority, weight, expiration, jobs: new Set(), starts: new Set() }
      this.#lines.set(name, line)
    }
    line.jobs.add(job)
    this.#arrivals.set(job, line)
    return line
  }

  /** @returns the line that it waited in */
  remove(job: Job): JobLine | undefined {
    const line = this.#arrivals.get(job)
    if (line === undefined) return undefined
    this.#arrivals.delete(job)
    line.jobs.delete(job)
    this.forget(line)
    return line
  }

  /** The job that a start is for: the first of its line, else of the most urgent line whose jobs ask for as much. */
  next({ line }: Start): Job | undefined {
    let best: JobLine | undefined = line
    if (line.jobs.size === 0) {
      best = undefined
      for (const other of this.#lines.values()) {
        const alike = other.weight === line.weight && other.expiration === line.expiration
        if (alike && other.jobs.size > 0 && !(best && best.priority < other.priority)) best = other
      }
    }
    const [job] = best?.jobs ?? []
    return job
  }

  /** Drops a line in which nothing waits. */
  forget(line: JobLine): void {
    if (line.jobs.size + line.starts.size > 0) return
    if (this.#lines.get(line.name) === line) this.#lines.delete(line.name)
  }
}
