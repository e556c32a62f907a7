import { FsStore } from './fs-store.ts'

/** One of several processes that write to the same folder: the same keys as the others, and each time a whole value. */
const [folder, name, count] = process.argv.slice(2) as [string, string, string]
const store = new FsStore<string>({ folder })
for (let i = 0; i < Number(count); i++) {
  const key = `key:${i % 10}`
  await store.set(key, name.repeat(20_000))
  if (i % 7 === 0) await store.delete(key)
  const value = (await store.get(key))?.value
  if (value !== undefined && value !== value[0]!.repeat(20_000)) throw new Error(`Torn ${key}`)
}
if (store.stats().corrupt > 0) throw new Error('Read a torn file')
await store.close()
console.log('done')
