import { Arc } from './arc.ts'
import { Lru } from './lru.ts'
import type { PolicyFactory } from './policy.ts'
import { S3Fifo } from './s3-fifo.ts'
import { Sieve } from './sieve.ts'
import { WTinyLfu } from './w-tiny-lfu.ts'

/** What our policies are compared with, by the name the tables show. Written for this suite from the papers. */
export const references: Readonly<Record<string, PolicyFactory>> = {
  LRU: options => new Lru(options),
  SIEVE: options => new Sieve(options),
  'S3-FIFO': options => new S3Fifo(options),
  ARC: options => new Arc(options),
  'W-TinyLFU 1%': options => new WTinyLfu({ ...options, window: 0.01 }),
  'W-TinyLFU 20%': options => new WTinyLfu({ ...options, window: 0.2 }),
  'W-TinyLFU adaptive': options => new WTinyLfu({ ...options, window: 0.01, adaptive: true }),
}
