/**
 * Bytes that what `build` returns keeps alive: heap and array buffers, after a full collection before and after.
 * Children of the harness run with `--expose-gc`.
 *
 * @example `retainedBytes(() => filledCache(100_000)) / 100_000` is the bytes per entry
 */
export async function retainedBytes<T>(
  build: () => T | Promise<T>,
): Promise<{ bytes: number; built: T }> {
  await collect()
  const before = used()
  const built = await build()
  await collect()
  return { bytes: used() - before, built }
}

function used(): number {
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

/** Collects until finalizers and weak references have settled too. */
async function collect(): Promise<void> {
  if (globalThis.gc === undefined) throw new Error('retainedBytes needs node --expose-gc')
  for (let pass = 0; pass < 3; pass++) {
    globalThis.gc()
    await new Promise(resolve => setImmediate(resolve))
  }
}
