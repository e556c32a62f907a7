import { writeFileSync } from 'node:fs'
import { FileTable, ParseCache } from '@millrace/cache-files'

writeFileSync('input.json', '{"n":1}')
const files = new FileTable({ maxBytes: 1_000_000 })
const trees = new ParseCache<{ n: number }>({
  files,
  parse: source => JSON.parse(source.toString()),
})
const tree: { n: number } = await trees.get('input.json')
if (tree.n !== 1) throw new Error('cache-files does not work')
