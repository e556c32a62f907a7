import { parentPort } from 'node:worker_threads'
import { SqliteStore } from '@millrace/cache-core/sqlite'

/** One of several writers of a file, in a thread or process of its own: writes and reads back values of its own. */
const [path, name, pairs] = process.argv.slice(2) as [string, string, string]
const store = new SqliteStore<number>({ path })
let lost = 0
const started = performance.now()
for (let i = 0; i < Number(pairs); i++) {
  const key = `${name}:${i % 100}`
  await store.set(key, i)
  if ((await store.get(key))?.value !== i) lost++
}
const result = { elapsed: performance.now() - started, lost }
if (parentPort === null) process.send!(result)
else parentPort.postMessage(result)
