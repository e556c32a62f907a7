import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { transform } from 'esbuild'

/** Result of a child process: its exit code (or signal) and what it printed. */
export interface ChildResult {
  readonly exit: number | string
  readonly stdout: string
  readonly stderr: string
}

/** How long a block or the type check may take, in ms, before it is killed. */
const deadline = 100_000

/** Writes a block to `file` (`.ts`) and runs it from its package's folder with the workspace's sources. */
export async function runBlock(
  code: string,
  file: string,
  env: NodeJS.ProcessEnv,
): Promise<ChildResult> {
  const script = file.replace(/\.ts$/, '.run.ts')
  await mkdir(dirname(file), { recursive: true })
  // Node strips types but cannot parse decorators yet.
  const decorated = /^\s*@[a-z]\w*/m.test(code)
  const runnable = decorated
    ? (await transform(code, { loader: 'ts', target: 'es2022' })).code
    : code
  await writeFile(script, runnable)
  const args = ['--conditions=millrace-source', '--disable-warning=ExperimentalWarning', script]
  return run(process.execPath, args, dirname(dirname(file)), env)
}

/** Type-checks blocks, each as a module of its own, with the workspace's compiler options. */
export async function checkBlocks(
  folder: string,
  blocks: readonly { file: string; code: string }[],
): Promise<ChildResult> {
  const root = workspaceRoot(folder)
  await mkdir(folder, { recursive: true })
  for (const { file, code } of blocks) {
    await writeFile(file, /^(import|export)\b/m.test(code) ? code : `${code}\nexport {}\n`)
  }
  const config = join(folder, 'tsconfig.json')
  await writeFile(
    config,
    JSON.stringify({
      extends: relative(folder, join(root, 'tsconfig.base.json')),
      compilerOptions: { typeRoots: [join(root, 'node_modules/@types')] },
      files: blocks.map(({ file }) => relative(folder, file)),
    }),
  )
  const compiler = join(root, 'node_modules/.bin/tsc')
  // Threads of its own would only take turns with the tests beside it.
  const args = ['--project', config, '--pretty', 'false', '--singleThreaded']
  return run(compiler, args, dirname(folder), process.env)
}

function workspaceRoot(from: string): string {
  let folder = from
  while (!existsSync(join(folder, 'tsconfig.base.json'))) {
    const parent = dirname(folder)
    if (parent === folder) throw new Error(`No tsconfig.base.json in any folder above ${from}`)
    folder = parent
  }
  return folder
}

function run(
  command: string,
  args: string[],
  cwd: string,
  env: NodeJS.ProcessEnv,
): Promise<ChildResult> {
  return new Promise(resolve => {
    execFile(command, args, { cwd, env, timeout: deadline }, (error, stdout, stderr) =>
      resolve({ exit: error === null ? 0 : (error.signal ?? error.code ?? 1), stdout, stderr }),
    )
  })
}
