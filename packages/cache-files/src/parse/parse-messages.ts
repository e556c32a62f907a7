import type { ParseSource } from './parse-cache.ts'

/** What a thread is started with. */
export interface ParseWorkerData {
  /** URL of the module. */
  readonly module: string
  /** Name of its export. */
  readonly name: string
}

/** To a thread. */
export interface ParseJob {
  readonly id: number
  readonly text: string
  readonly source: Omit<ParseSource, 'signal'>
}

/** From a thread: one of the last three. */
export interface ParseOutcome {
  readonly id: number
  readonly value?: unknown
  readonly error?: unknown
  /** The module has no such function: the thread ends. */
  readonly noParser?: true
}
