import { Cache, type CacheOptions } from '@millrace/cache-core'
import { contentHash } from '../../value/content-hash.ts'

/** Contents of empty files weigh something too, so that any number of them is bounded. */
const OVERHEAD = 200

/** Limits of {@link FileContents}. */
export interface ContentLimits {
  readonly maxBytes: number
  readonly maxFiles: number
  readonly memoryPressure: CacheOptions<string, Buffer>['memoryPressure']
}

/** Bytes of files by their hash, so that files with equal bytes share them. */
export class FileContents {
  readonly #held: Cache<string, Buffer>

  constructor({ maxBytes, maxFiles, memoryPressure }: ContentLimits) {
    this.#held = new Cache({
      maxEntries: maxFiles,
      maxBytes,
      weigher: bytes => bytes.length + OVERHEAD,
      ...(memoryPressure && { memoryPressure }),
    })
  }

  get size(): number {
    return this.#held.size
  }

  get bytes(): number {
    return this.#held.stats().bytes - OVERHEAD * this.#held.size
  }

  get(hash: string): Buffer | undefined {
    return this.#held.get(hash)
  }

  /** Holds bytes, and returns those that are held already if there are any. */
  share(hash: string, bytes: Buffer): Buffer {
    const shared = this.#held.get(hash)
    if (shared === undefined) this.#held.set(hash, bytes)
    return shared ?? bytes
  }

  /** Whether the bytes held under a hash are still those, and were not written to. */
  isIntact(hash: string): boolean {
    const bytes = this.#held.peek(hash)
    return bytes === undefined || contentHash(bytes) === hash
  }

  delete(hash: string): void {
    this.#held.delete(hash)
  }

  close(): void {
    this.#held.clear()
    this.#held[Symbol.dispose]()
  }
}
