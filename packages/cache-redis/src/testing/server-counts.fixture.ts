import type { Redis } from 'ioredis'

/** Calls that clients made, scripts' own commands not counted. */
export async function calls(nodes: readonly Redis[]): Promise<number> {
  let count = 0
  for (const node of nodes) {
    const stats = await node.info('commandstats')
    for (const [, name, number] of stats.matchAll(/cmdstat_(\w+):calls=(\d+)/g)) {
      if (name === 'evalsha' || name === 'eval') count += Number(number)
    }
  }
  return count
}

/** How often the server found something to read, however many commands it was: that very question included. */
export async function reads(node: Redis): Promise<number> {
  return Number(/total_reads_processed:(\d+)/.exec(await node.info('stats'))![1])
}
