import { spawnSync } from 'node:child_process'

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
    env: { ...process.env, TURBO_TELEMETRY_DISABLED: '1', DO_NOT_TRACK: '1', ...env },
  })
  if (result.error) throw result.error
  return result.status === 0
}
