import { hash } from 'node:crypto'
import type { BigIntStats } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import type { StoreItem } from '@millrace/cache-core/store'
import type { CacheStore } from '../wiring/forgiving-store.ts'
import type { Telemetry } from '../wiring/telemetry.ts'
import { deriveFacts, factsVersion } from './derive-facts.ts'
import type { FileFacts } from './facts.ts'
import type { SourceRecord } from './source-record.ts'

export interface AnalyseOptions {
  readonly store: CacheStore<SourceRecord>
  readonly telemetry: Telemetry
  readonly signal?: AbortSignal
  progress(done: number, total: number): void
}

export interface Analysis {
  readonly files: ReadonlyMap<string, FileFacts>
  readonly unchanged: number
  readonly touched: number
  readonly parsed: number
  readonly unreadable: readonly { readonly path: string; readonly code: string }[]
}

/** Files whose records are looked up and stored together. */
const batchSize = 512

/**
 * Facts of all source files: by a stat alone where nothing changed, by a hash of the bytes where only the times did, else by
 * parsing. An aborted analysis stores what it has.
 */
export async function analyseSources(
  paths: readonly string[],
  options: AnalyseOptions,
): Promise<Analysis> {
  const files = new Map<string, FileFacts>()
  const unreadable: { path: string; code: string }[] = []
  const counts = { unchanged: 0, touched: 0, parsed: 0 }
  for (let at = 0; at < paths.length && !options.signal?.aborted; at += batchSize) {
    const batch = paths.slice(at, at + batchSize)
    const known = await options.store.getMany(batch.map(keyOf))
    const changed: StoreItem<SourceRecord>[] = []
    let next = 0
    const work = async () => {
      while (next < batch.length && !options.signal?.aborted) {
        const index = next++
        const path = batch[index]!
        try {
          const { record, how } = await analyse(path, known[index]?.value, options.telemetry)
          counts[how]++
          files.set(path, record.facts)
          if (how !== 'unchanged') changed.push({ key: keyOf(path), value: record })
        } catch (error) {
          const { code } = error as NodeJS.ErrnoException
          if (code === undefined) throw error
          unreadable.push({ path, code })
        }
        options.progress(files.size + unreadable.length, paths.length)
      }
    }
    await Promise.all(Array.from({ length: 8 }, work))
    if (changed.length > 0) await options.store.setMany(changed)
  }
  return { files, ...counts, unreadable }
}

const keyOf = (path: string): string => `${factsVersion}:${path}`

interface Analysed {
  readonly record: SourceRecord
  readonly how: 'unchanged' | 'touched' | 'parsed'
}

async function analyse(
  path: string,
  known: SourceRecord | undefined,
  { tracer, timings }: Telemetry,
): Promise<Analysed> {
  const start = performance.now()
  const before = fingerprint(await stat(path, { bigint: true }))
  timings.stat.record(performance.now() - start)
  if (known?.fingerprint === before) return { record: known, how: 'unchanged' }
  return tracer.span('source file', { attributes: { 'file.path': path } }, async () => {
    const { text, ...read } = await timings.read.time(() =>
      tracer.span('read', () => readStable(path)),
    )
    if (known?.hash === read.hash)
      return { record: { ...read, facts: known.facts }, how: 'touched' }
    const facts = await timings.parse.time(() =>
      tracer.span('parse', () => deriveFacts(path, text)),
    )
    return { record: { ...read, facts }, how: 'parsed' }
  })
}

interface StableRead {
  readonly text: string
  readonly fingerprint: string
  readonly hash: string
}

/** Reads a file together with a fingerprint of exactly these bytes: when it changes meanwhile, again. */
async function readStable(path: string): Promise<StableRead> {
  await using file = await open(path)
  for (let attempt = 0; ; attempt++) {
    const before = fingerprint(await file.stat({ bigint: true }))
    const bytes = Buffer.alloc(Number((await file.stat()).size))
    const { bytesRead } = await file.read(bytes, 0, bytes.length, 0)
    const after = fingerprint(await file.stat({ bigint: true }))
    if ((before === after && bytesRead === bytes.length) || attempt === 3) {
      return {
        text: bytes.toString('utf8'),
        fingerprint: before,
        hash: hash('sha256', bytes, 'base64url'),
      }
    }
  }
}

function fingerprint({ size, mtimeNs, ctimeNs, ino }: BigIntStats): string {
  return `${size}:${mtimeNs}:${ctimeNs}:${ino}`
}
