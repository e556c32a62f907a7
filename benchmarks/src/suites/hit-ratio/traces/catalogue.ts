import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readDecompressed } from './decompress.ts'
import { arc, type Format, int32, oracleGeneral, text } from './formats.ts'
import type { Trace } from './trace.ts'

export interface TraceSource {
  readonly name: string
  /** Path under a traces folder. */
  readonly file: string
  readonly format: Format
  /** Capacities in entries at which the policies are compared. */
  readonly capacities: readonly number[]
  /** Left out of short runs. */
  readonly long?: boolean
}

/** 12 traces, 27 cells: databases, web pages, an entity cache, disks, compilers, and the loops and scans of the LIRS paper. */
export const catalogue: readonly TraceSource[] = [
  { name: 'OLTP', file: 'arc/OLTP.lis.zst', format: arc, capacities: [560, 1868, 18_688] },
  { name: 'P3', file: 'arc/P3.lis.zst', format: arc, capacities: [7626, 38_128], long: true },
  {
    name: 'orm-busy',
    file: 'cache2k/orm-busy.trace.xz',
    format: int32,
    capacities: [1000, 5000],
    long: true,
  },
  { name: 'web07', file: 'cache2k/web07.trace.xz', format: int32, capacities: [200, 1000, 4000] },
  {
    name: 'w106',
    file: 'cloudphysics/w106.trace.xz',
    format: int32,
    capacities: [5000, 20_000],
    long: true,
  },
  {
    name: 'cloudPhysicsIO',
    file: 'libcachesim/cloudPhysicsIO.oracleGeneral.bin',
    format: oracleGeneral,
    capacities: [1000, 5000, 20_000],
  },
  { name: 'cpp', file: 'lirs/cpp.trace.gz', format: text, capacities: [100, 400] },
  { name: 'cs', file: 'lirs/cs.trace.gz', format: text, capacities: [400, 1000] },
  { name: 'loop', file: 'lirs/loop.trace.gz', format: text, capacities: [256, 512] },
  { name: 'multi1', file: 'lirs/multi1.trace.gz', format: text, capacities: [500, 1000] },
  { name: 'multi2', file: 'lirs/multi2.trace.gz', format: text, capacities: [1000, 2000] },
  { name: 'sprite', file: 'lirs/sprite.trace.gz', format: text, capacities: [200, 1000] },
]

const committed = fileURLToPath(new URL('../../../../traces', import.meta.url))
const beside = fileURLToPath(new URL('../../../../../../shared/traces', import.meta.url))

/** The path of a trace, or undefined when neither the given folder nor the repository has it. */
export function findTrace({ file }: TraceSource, folder: string = beside): string | undefined {
  return [folder, committed].map(root => join(root, file)).find(path => existsSync(path))
}

export async function loadTrace({ name, format }: TraceSource, path: string): Promise<Trace> {
  return format(name, await readDecompressed(path))
}
