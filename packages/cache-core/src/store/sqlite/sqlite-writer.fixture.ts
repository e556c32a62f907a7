import { SqliteStore } from './sqlite-store.ts'

/** One of several processes that write to the same file: writes and reads back `count` values of its own. */
const [path, name, count] = process.argv.slice(2) as [string, string, string]
const store = new SqliteStore<number>({ path })
for (let i = 0; i < Number(count); i++) {
  await store.set(`${name}:${i}`, i, { tags: [name] })
  await store.deleteTag(`${name}-unused`)
  if ((await store.get(`${name}:${i}`))?.value !== i) throw new Error(`Lost ${name}:${i}`)
}
await store.close()
console.log('done')
