import { writeFileSync } from 'node:fs'
import { FileTable, ParseCache } from '@millrace/cache-files'

writeFileSync('input.json', '{"n":1}')
const files = new FileTable({ maxBytes: 1_000_000 })
const trees = new ParseCache<{ n: number }>({ files, id: 'json', parse: text => JSON.parse(text) })
const { value } = await trees.get('input.json')
if (value.n !== 1) throw new Error('cache-files does not work')
