import { mkdirSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { FileTable, ParseCache, ParsePool, Watcher } from '@millrace/cache-files'

mkdirSync('tree')
writeFileSync('tree/a.json', '{"n":1}')
writeFileSync('parse.mjs', 'export const parse = text => JSON.parse(text).n')
const files = new FileTable({ root: 'tree', maxBytes: 1_000_000 })
const pool = new ParsePool({ module: resolve('parse.mjs'), workers: 1 })
const trees = new ParseCache({ files, id: 'n', parse: pool.parse })
const watcher = new Watcher({ files })
await watcher.settled()
if ((await trees.get('a.json')).value !== 1) throw new Error('not parsed in a thread')
writeFileSync('tree/a.json', '{"n":2}')
await watcher.settled()
if ((await trees.get('a.json')).value !== 2) throw new Error('the change was not seen')
await watcher.close()
await pool.close()
