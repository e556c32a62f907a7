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
writeFileSync(join(root, 'own'), 'old')

/** A graph with the queries that are tried. */
function queries(openTimeout: number) {
  const files = new FileTable({ root, racyWindow: 0, openTimeout })
  const graph = new Graph({
    files,
    durable: [{ folder: 'sub', markers: ['marker'] }],
  })
  const list = graph.query('list', (context, path) => context.list(path))
  const glob = graph.query('glob', (context, pattern) => context.glob(pattern).length)
  const caught = graph.query('caught', (context, path) => {
    try {
      return context.list(path)
    } catch (error) {
      return (error as { reason?: string }).reason
    }
  })
  const text = graph.query('text', async (context, path) => {
    try {
      return (await context.read(path)).bytes.toString()
    } catch (error) {
      return (error as { reason?: string }).reason
    }
  })
  const ask = () => [
    graph.get(list, 'sub'),
    graph.get(glob, '*/*'),
    graph.get(caught, 'sub'),
    graph.get(text, 'sub/in'),
    graph.get(text, 'own'),
  ]
  return { files, ask }
}

const tell = async (answers: Promise<unknown>[]): Promise<void> => {
  for (const answer of answers) {
    console.log(JSON.stringify(await answer.catch(({ code, reason }) => [code, reason])))
  }
}

const open: number[] = []
const starve = (): void => {
  try {
    for (;;) open.push(openSync('/dev/null', 'r'))
  } catch {
    // As meant.
  }
}
const feed = (): void => {
  for (const descriptor of open.splice(0)) closeSync(descriptor)
}

const impatient = queries(0)
starve()
await tell(impatient.ask())
feed()
await tell(impatient.ask())
writeFileSync(join(root, 'sub/more'), 'text')
// What was found before is known to be old, and what is there now is not known.
starve()
await tell(impatient.ask())
feed()

const patient = queries(60_000)
writeFileSync(join(root, 'marker'), '1')
starve()
const answers = patient.ask()
const read = patient.files.read('sub/in')
setTimeout(feed, 100)
await tell([...answers, read.then(({ bytes }) => bytes.toString())])
// What they know is old, and has to be opened again.
writeFileSync(join(root, 'own'), 'new')
writeFileSync(join(root, 'sub/most'), '')
starve()
const again = patient.ask()
setTimeout(feed, 100)
await tell(again)

// More large files than there are descriptors.
const names = Array.from({ length: 210 }, (_, index) => `large-${index}`)
for (const name of names) writeFileSync(join(root, name), name.padEnd(270_000))
const contents = await Promise.all(names.map(name => impatient.files.read(name)))
console.log(contents.every(({ bytes }, index) => bytes.toString().startsWith(names[index]!)))
rmSync(root, { recursive: true })
