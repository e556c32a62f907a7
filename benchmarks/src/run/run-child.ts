import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Answer, Task } from './messages.ts'

const childFile = fileURLToPath(new URL('./child.ts', import.meta.url))
const execArgv = [
  '--conditions=millrace-source',
  '--expose-gc',
  '--disable-warning=ExperimentalWarning',
]

/** Measures one round in a fresh process and returns its figure. */
export async function runRound(task: Task & { kind: 'round' }, timeout: number): Promise<number> {
  const child = start(task)
  const exited = new Promise(resolve => child.once('exit', resolve))
  const answer = await firstAnswer(child, task, timeout)
  // A contender may leave handles open; its figure is taken, so it need not be waited for.
  child.kill('SIGKILL')
  await exited
  if (answer.kind !== 'measured') throw new Error(`Expected a figure, got ${answer.kind}`)
  return answer.value
}

/** A contender that is alive for a round and measures a run whenever it is its turn. */
export interface Turns {
  next(): Promise<number>
  stop(): Promise<void>
}

/** Starts a contender that takes turns with others, in a fresh process. */
export async function startTurns(task: Task & { kind: 'round' }, timeout: number): Promise<Turns> {
  const child = start({ ...task, inTurn: true })
  const exited = new Promise<void>(resolve => child.once('exit', () => resolve()))
  await firstAnswer(child, task, timeout)
  return {
    async next() {
      const answered = firstAnswer(child, task, timeout)
      child.send('next')
      const answer = await answered
      if (answer.kind !== 'measured') throw new Error(`Expected a figure, got ${answer.kind}`)
      return answer.value
    },
    async stop() {
      child.kill('SIGKILL')
      await exited
    },
  }
}

/** Starts the fixture of a case and returns its value and what ends it. */
export async function startFixture(
  task: Task & { kind: 'fixture' },
): Promise<{ value: unknown; stop(): Promise<void> }> {
  const child = start(task)
  const exited = new Promise<void>(resolve => child.once('exit', () => resolve()))
  const answer = await firstAnswer(child, task, 60_000)
  if (answer.kind !== 'ready') throw new Error(`Expected a fixture, got ${answer.kind}`)
  return {
    value: answer.value,
    async stop() {
      const impatient = setTimeout(() => child.kill('SIGKILL'), 10_000)
      if (child.connected) child.disconnect()
      await exited
      clearTimeout(impatient)
    },
  }
}

function start(task: Task): ChildProcess {
  return fork(childFile, [JSON.stringify(task)], {
    execArgv,
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    env: { ...process.env, NODE_ENV: 'production' },
  })
}

function firstAnswer(child: ChildProcess, task: Task, timeout: number): Promise<Answer> {
  const what = `${task.suite} / ${task.case}${task.kind === 'round' ? ` / ${task.contender}` : ' / fixture'}`
  return new Promise((resolve, reject) => {
    let errors = ''
    const onErrorText = (text: string) => {
      errors = (errors + text).slice(-4000)
    }
    child.stderr?.setEncoding('utf8').on('data', onErrorText)
    const settle = () => {
      clearTimeout(deadline)
      child.stderr?.removeListener('data', onErrorText)
      child.removeListener('message', onMessage)
      child.removeListener('error', onError)
      child.removeListener('exit', onExit)
    }
    const fail = (why: string) => {
      settle()
      child.kill('SIGKILL')
      reject(new Error(`${what}: ${why}`))
    }
    const onMessage = (answer: Answer) => {
      if (answer.kind === 'failed') return fail(answer.message)
      settle()
      resolve(answer)
    }
    const onError = (error: Error) => fail(error.message)
    const onExit = (code: number | null, signal: string | null) =>
      fail(`ended early with ${signal ?? code}\n${errors}`)
    const deadline = setTimeout(
      () => fail(`gave no figure within ${timeout} ms\n${errors}`),
      timeout,
    )
    child.on('message', onMessage)
    child.on('error', onError)
    child.on('exit', onExit)
  })
}
