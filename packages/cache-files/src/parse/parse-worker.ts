import { parentPort, workerData } from 'node:worker_threads'
import type { ParseJob, ParseOutcome, ParseWorkerData } from './parse-messages.ts'

/** A thread that runs one parser, one source at a time. */
async function main(): Promise<void> {
  const port = parentPort
  if (port === null) return
  const { module, name } = workerData as ParseWorkerData
  const parse: unknown = (await import(module))[name]
  if (typeof parse !== 'function') {
    // Nothing keeps the thread from ending then.
    port.postMessage({ id: 0, noParser: true } satisfies ParseOutcome)
    return
  }
  port.on('message', async ({ id, text, source }: ParseJob) => {
    let outcome: ParseOutcome
    try {
      outcome = { id, value: await parse(text, source) }
    } catch (error) {
      outcome = { id, error }
    }
    try {
      port.postMessage(outcome)
    } catch (error) {
      // A value, or an error, that cannot be cloned.
      port.postMessage({ id, error: new Error((error as Error).message) } satisfies ParseOutcome)
    }
  })
}

// A rejection ends the thread with its error.
void main()
