import { stat } from 'node:fs/promises'
import { DemoError } from '../demo-error.ts'
import { explain } from '../report/explain.ts'

/** @throws {DemoError} when there is no folder at the path */
export async function requireFolder(path: string): Promise<void> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    throw new DemoError(`Cannot analyse ${path}: ${explain(error.code)}`, { cause: error })
  })
  if (!found.isDirectory()) throw new DemoError(`Cannot analyse ${path}: it is not a folder`)
}
