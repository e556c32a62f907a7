import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const execute = promisify(execFile)

/** Another JavaScript runtime, as its npm package brings it. */
export interface Runtime {
  readonly name: 'bun' | 'deno'
  /** The npm package with its version. */
  readonly package: string
  /** What comes before the file, so that workspace packages resolve to their sources. */
  readonly args: readonly string[]
}

export const runtimes: readonly Runtime[] = [
  { name: 'bun', package: 'bun@1.4.5', args: ['run', '--conditions=millrace-source'] },
  {
    name: 'deno',
    package: 'deno@2.9.6',
    args: [
      ...['run', '--allow-all', '--quiet', '--no-lock', '--no-check', '--node-modules-dir=manual'],
      '--conditions=millrace-source',
    ],
  },
]

/** Path of the runtime's program, which npx fetches at the first call. */
export async function programOf({ name, package: from }: Runtime): Promise<string> {
  const { stdout } = await execute('npx', ['--yes', '--package', from, '--', 'which', name])
  return stdout.trim()
}

export interface Printed {
  /** 0, or what it ended with. */
  readonly exit: number | string
  readonly stdout: string
  readonly stderr: string
}

/** Runs a file by the program, from `folder`. */
export async function runBy(
  program: string,
  { args }: Runtime,
  file: string,
  folder: string,
  env: Readonly<Record<string, string>>,
): Promise<Printed> {
  try {
    const options = { cwd: folder, env: { ...process.env, NO_COLOR: '1', ...env }, timeout: 60_000 }
    return { exit: 0, ...(await execute(program, [...args, file], options)) }
  } catch (error) {
    const { code, signal, stdout, stderr } = error as Printed & {
      readonly code?: number | null
      readonly signal?: string | null
    }
    return { exit: code ?? signal ?? 'failed', stdout, stderr }
  }
}
