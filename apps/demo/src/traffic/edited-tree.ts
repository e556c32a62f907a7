import { mkdtempSync } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MemoryStore } from '@millrace/cache-core/memory'
import { type Analysis, analyseSources } from '../analyse/analyse-sources.ts'
import { type Levels, levelsOf } from '../analyse/levels.ts'
import { SourceCaches } from '../analyse/source-caches.ts'
import type { Telemetry } from '../wiring/telemetry.ts'

const FOLDERS = 10

/**
 * Files of the demo's own, as nobody's sources are edited, on caches as the analysed tree has them, which are measured and traced as
 * those are.
 */
export class EditedTree implements AsyncDisposable {
  readonly #root: string
  readonly #caches: SourceCaches
  readonly #paths: readonly string[]
  #edits = 0
  /** What the levels had done before the last edit. */
  #before: Levels | undefined

  constructor(files: number, telemetry: Telemetry) {
    this.#root = mkdtempSync(join(tmpdir(), 'millrace-demo-edit-'))
    this.#paths = Array.from({ length: files }, (_, i) =>
      join(this.#root, `${i % FOLDERS}`, `${i}.ts`),
    )
    this.#caches = new SourceCaches({
      root: this.#root,
      store: new MemoryStore(),
      tables: new MemoryStore(),
      telemetry,
      onStoreError: error => {
        // Memory does not fail.
        throw error
      },
    })
    const { metrics } = telemetry
    metrics.observe('demo_edited_files', this.#caches.files)
    metrics.observe('demo_edited_facts', this.#caches.facts)
    metrics.observe('demo_edited_results', this.#caches.graph)
  }

  /** What each level did for the last edit, also while that is under way. */
  get levels(): Levels {
    const now = levelsOf(this.#caches)
    const before = this.#before ?? now
    const since = Object.entries(now).map(([level, done]) => [
      level,
      done - before[level as keyof Levels],
    ])
    return Object.fromEntries(since)
  }

  /** Adds a comment to each of the files and analyses them; the first time they are written and analysed before. */
  async edit(signal: AbortSignal): Promise<Analysis> {
    if (this.#edits === 0) {
      await Promise.all(
        Array.from({ length: FOLDERS }, (_, i) =>
          mkdir(join(this.#root, `${i}`), { recursive: true }),
        ),
      )
      await this.#write('')
      await this.#analyse(signal)
    }
    signal.throwIfAborted()
    // Of another length each time, so that the facts of a file change, though not what others see of it.
    const edit = ++this.#edits
    await this.#write(` // edit ${edit}${'.'.repeat(edit % 7)}`)
    this.#before = levelsOf(this.#caches)
    return await this.#analyse(signal)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#caches[Symbol.asyncDispose]()
    await rm(this.#root, { recursive: true, force: true })
  }

  #write(comment: string): Promise<unknown> {
    return Promise.all(
      this.#paths.map((path, i) => writeFile(path, `export const value${i} = ${i}${comment}\n`)),
    )
  }

  #analyse(signal: AbortSignal): Promise<Analysis> {
    return analyseSources(this.#paths, this.#caches, { signal, progress: () => undefined })
  }
}
