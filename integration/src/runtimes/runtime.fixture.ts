import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const execute = promisify(execFile)

/** Another JavaScript runtime, as its npm package brings it. */
export interface Runtime {
  readonly name: 'bun' | 'deno'
  /** The npm package with its version. */
  readonly package: string
  /** What comes before the file. Without the condition of the sources, packages resolve to what is built and published. */
  readonly args: readonly string[]
}

export const runtimes: readonly Runtime[] = [
  { name: 'bun', package: 'bun@1.4.5', args: ['run'] },
  {
    name: 'deno',
    package: 'deno@2.9.6',
    args: [
      ...['run', '--allow-all', '--quiet', '--no-lock', '--no-check', '--node-modules-dir=manual'],
    ],
  },
]

/** Builds what the workspace's packages publish. */
export async function buildPackages(): Promise<void> {
  await execute('turbo', ['run', 'build', '--filter=./packages/*'], {
    cwd: fileURLToPath(new URL('../../..', import.meta.url)),
  })
}

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
