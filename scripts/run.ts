import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'

/** Tests start hundreds of Node processes on the same sources: what one has compiled, and stripped of types, serves the next. */
const compileCache = resolve(import.meta.dirname, '../node_modules/.cache/node-compile')

/** Runs a program of the workspace with its output passed through, and returns whether it succeeded. */
export function run(
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
  cwd: string = process.cwd(),
): boolean {
  const result = spawnSync(program, args, {
    cwd,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: {
      NODE_COMPILE_CACHE: compileCache,
      ...process.env,
      TURBO_TELEMETRY_DISABLED: '1',
      DO_NOT_TRACK: '1',
      ...env,
    },
  })
  if (result.error) throw result.error
  return result.status === 0
}
