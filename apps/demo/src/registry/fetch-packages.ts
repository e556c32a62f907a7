import { RedirectError, ResponseTooLargeError } from '@millrace/http-pool'
import type { PackageDocument } from './package-document.ts'
import { RegistryAnswerError } from './registry-answer-error.ts'
import type { RegistryClient } from './registry-client.ts'

export interface FetchedPackages {
  /** By name; undefined for names the registry does not have. */
  readonly documents: ReadonlyMap<string, PackageDocument | undefined>
  /** Names without an answer. */
  readonly failed: readonly string[]
  /** Why the first of those failed. */
  readonly firstError: Error | undefined
  /** Nothing came from the registry, or it was given up: no answer, not even one that refuses. */
  readonly unreachable: boolean
}

/** Failures without any answer, in a row, after which the registry counts as down: each costs the retries of the pool. */
const enough = 4

/** Looks up many packages, a few at a time. What is cached is answered even when the registry is down. */
export async function fetchPackages(
  client: RegistryClient,
  names: readonly string[],
  {
    signal,
    progress,
  }: { readonly signal?: AbortSignal; progress(done: number, total: number): void },
): Promise<FetchedPackages> {
  const documents = new Map<string, PackageDocument | undefined>()
  const failed: string[] = []
  let firstError: Error | undefined
  let inARow = 0
  let answered = false
  let next = 0
  const down = new AbortController()
  const either = signal ? AbortSignal.any([signal, down.signal]) : down.signal
  const work = async () => {
    while (next < names.length && !signal?.aborted) {
      const name = names[next++]!
      try {
        documents.set(name, await client.package(name, either))
        inARow = 0
      } catch (error) {
        failed.push(name)
        if (signal?.aborted) return
        firstError ??= error as Error
        if (isAnswer(error)) answered = true
        else if (++inARow >= enough) down.abort(firstError)
      }
      progress(documents.size + failed.length, names.length)
    }
  }
  await Promise.all(Array.from({ length: 32 }, work))
  const { downloaded, revalidated, absent } = client.stats()
  const silent = failed.length > 0 && downloaded + revalidated + absent === 0
  const unreachable = !answered && (silent || down.signal.aborted)
  return { documents, failed, firstError, unreachable }
}

/** Whether a failure is an answer, though none that a registry gives. */
const isAnswer = (error: unknown): boolean =>
  error instanceof RegistryAnswerError ||
  error instanceof RedirectError ||
  error instanceof ResponseTooLargeError
