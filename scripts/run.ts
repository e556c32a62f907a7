import { spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'

/** Tests start hundreds of Node processes on the same sources: what one has compiled, and stripped of types, serves the next. */
const compileCache = resolve(import.meta.dirname, '../node_modules/.cache/node-compile')

function environment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return {
    NODE_COMPILE_CACHE: compileCache,
    ...process.env,
    TURBO_TELEMETRY_DISABLED: '1',
    DO_NOT_TRACK: '1',
    ...env,
  }
}

/** Runs a program of the workspace with its output passed through, and tells whether it succeeded. */
export function run(
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<boolean> {
  return new Promise((settle, reject) => {
    const child = spawn(program, args, {
      stdio: ['ignore', 'inherit', 'inherit'],
      env: environment(env),
    })
    child.once('error', reject)
    child.once('exit', code => settle(code === 0))
  })
}

/** What a program that has ended said. */
export interface Finished {
  readonly ok: boolean
  readonly stdout: string
  readonly stderr: string
}

let running = 0
const waiting: (() => void)[] = []

/** Runs a program as soon as a processor is free for it, and keeps what it says. */
export async function finished(
  program: string,
  args: readonly string[],
  cwd: string = process.cwd(),
  env: NodeJS.ProcessEnv = {},
): Promise<Finished> {
  if (running >= availableParallelism()) await new Promise<void>(start => waiting.push(start))
  running++
  try {
    return await new Promise((settle, reject) => {
      const child = spawn(program, args, {
        cwd,
        stdio: ['ignore', 'pipe', 'pipe'],
        env: environment(env),
      })
      let stdout = ''
      let stderr = ''
      child.stdout.setEncoding('utf8').on('data', text => {
        stdout += text
      })
      child.stderr.setEncoding('utf8').on('data', text => {
        stderr += text
      })
      child.once('error', reject)
      child.once('close', code => settle({ ok: code === 0, stdout, stderr }))
    })
  } finally {
    running--
    waiting.shift()?.()
  }
}

/** The same, whether it succeeded; what it says is shown if it did not, as several run at a time. */
export async function succeeds(
  program: string,
  args: readonly string[],
  cwd?: string,
  env?: NodeJS.ProcessEnv,
): Promise<boolean> {
  const { ok, stdout, stderr } = await finished(program, args, cwd, env)
  if (!ok) console.error(`${program} ${args.join(' ')}\n${stdout}${stderr}`)
  return ok
}

/**
 * The same with what the processors have left, so that tests in real time bear it beside them; what it says is shown once it has
 * ended.
 */
export async function succeedsBeside(
  program: string,
  args: readonly string[],
  env?: NodeJS.ProcessEnv,
): Promise<boolean> {
  const { ok, stdout, stderr } = await finished(
    'nice',
    ['-n', '19', program, ...args],
    undefined,
    env,
  )
  process.stdout.write(stdout)
  process.stderr.write(stderr)
  return ok
}
