import type { Loop, Prepare } from '../../../define.ts'
import { keys } from './keys.ts'

export const entries = 1000

interface Readable {
  get(key: string): number | undefined
}

/** Reads every key of a full cache once per run; the result is the sum of the values. */
function readAll(cache: Readable): Loop<number> {
  const names = keys(entries)
  return {
    operations: names.length,
    run() {
      let sum = 0
      for (let i = 0; i < names.length; i++) sum += cache.get(names[i]!)!
      return sum
    },
  }
}

function fill<C extends { set(key: string, value: number): unknown }>(cache: C): C {
  keys(entries).forEach((key, index) => {
    cache.set(key, index)
  })
  return cache
}

export const map: Prepare<number> = async () => readAll(fill(new Map<string, number>()))

export const lruCache: Prepare<number> = async () => {
  const { LRUCache } = await import('lru-cache')
  return readAll(fill(new LRUCache<string, number>({ max: entries })))
}

export const tinyLru: Prepare<number> = async () => {
  const { LRU } = await import('tiny-lru')
  return readAll(fill(new LRU<number>(entries)))
}

export const quickLru: Prepare<number> = async () => {
  const { default: QuickLRU } = await import('quick-lru')
  return readAll(fill(new QuickLRU<string, number>({ maxSize: entries })))
}
