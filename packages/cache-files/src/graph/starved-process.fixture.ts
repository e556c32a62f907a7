import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FileTable } from '../table/file-table.ts'
import { Graph } from './graph.ts'

/** A process that looks into folders while it can open nothing more, and again once it can. */
const root = realpathSync(mkdtempSync(join(tmpdir(), 'millrace-starved-')))
mkdirSync(join(root, 'sub'))
writeFileSync(join(root, 'sub/in'), 'text')
const graph = new Graph({ files: new FileTable({ root, racyWindow: 0 }) })
const list = graph.query('list', (context, path) => context.list(path))
const glob = graph.query('glob', (context, pattern) => context.glob(pattern).length)
const caught = graph.query('caught', (context, path) => {
  try {
    return context.list(path)
  } catch (error) {
    return (error as { reason?: string }).reason
  }
})
const tell = async (): Promise<void> => {
  for (const answer of [graph.get(list, 'sub'), graph.get(glob, '*/*'), graph.get(caught, 'sub')]) {
    console.log(JSON.stringify(await answer.catch(({ code, reason }) => [code, reason])))
  }
}

const open: number[] = []
try {
  for (;;) open.push(openSync('/dev/null', 'r'))
} catch {
  // As meant.
}
await tell()
for (const descriptor of open.splice(0)) closeSync(descriptor)
await tell()
writeFileSync(join(root, 'sub/more'), 'text')
// What was found before is known to be old, and what is there now is not known.
for (let more = true; more; ) {
  try {
    open.push(openSync('/dev/null', 'r'))
  } catch {
    more = false
  }
}
await tell()
for (const descriptor of open) closeSync(descriptor)
rmSync(root, { recursive: true })
