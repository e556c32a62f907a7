import { parentPort } from 'node:worker_threads'

/** A parser for tests: counts words, or does what a parser must not. */
export async function parse(text: string): Promise<number> {
  if (text === 'throw') throw new SyntaxError('no words')
  if (text === 'throw nothing') throw undefined
  if (text === 'throw a function') throw () => 1
  if (text === 'throw later') {
    setImmediate(() => {
      throw undefined
    })
    return await new Promise(() => undefined)
  }
  if (text === 'reject aside') {
    void Promise.reject(new Error('aside'))
    return await new Promise(() => undefined)
  }
  if (text === 'chatter') {
    for (const message of [null, undefined, 7, 'hello', {}, { id: -1 }]) {
      parentPort?.postMessage(message)
    }
  }
  if (text === 'exit') process.exit(3)
  if (text === 'spin') for (;;) if (Date.now() < 0) break
  if (text === 'function') return (() => 1) as never
  return text.split(' ').length
}
