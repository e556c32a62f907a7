import { sourcesOf } from './analysis-tree.ts'
import { analyse } from './contenders/analysis.ts'

/** A process that analyses a tree and keeps what the next one may use. */
const [root, cache] = process.argv.slice(2) as [string, string]
await analyse({ root, cache }, sourcesOf(root))
