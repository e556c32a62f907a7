import { type FSWatcher, mkdtempSync, rmSync, unlinkSync, watch, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { setSystemTimer, type Timer } from '@millrace/kit'
import { PendingChanges } from './pending-changes.ts'
import { TreeWatch } from './tree-watch.ts'
import type { WatchReply, WatchRequest, WatchWorkerData } from './watch-messages.ts'

/** ms after which a cookie that was not seen means that nothing is. */
const COOKIE_TIMEOUT = 1_000
/** ms between two looks whether another folder has come in the place of the root, where nothing asks for what changed. */
const ROOT_INTERVAL = 1_000

/**
 * Watches a tree in a thread whose loop nothing blocks, so that the system's queue is emptied in time, and reports to the thread that
 * started it, one report at a time.
 */
class WatchThread {
  readonly #port: MessagePort
  readonly #delay: number
  readonly #changes: PendingChanges
  readonly #tree: TreeWatch
  /** A file written here is seen after all that happened before: on Linux all watches of a loop share one queue. */
  readonly #cookies = mkdtempSync(join(tmpdir(), 'millrace-watch-'))
  readonly #cookieWatch: FSWatcher
  readonly #settling = new Map<string, { readonly id: number; readonly timer: NodeJS.Timeout }>()
  readonly #rootTimer: NodeJS.Timeout
  #timer: Timer | undefined
  /** Whether a report has not been dealt with yet. */
  #reported = false

  constructor(port: MessagePort, { root, ignore, maxPending, delay }: WatchWorkerData) {
    this.#port = port
    this.#delay = delay
    this.#changes = new PendingChanges(maxPending)
    this.#tree = new TreeWatch(root, ignore, this.#changes, () => this.#soon())
    this.#cookieWatch = watch(this.#cookies, (_, name) => this.#seen(name))
    this.#tree.begin()
    this.#send({ kind: 'ready', complete: this.#complete })
    this.#rootTimer = setInterval(() => this.#checkRoot(), ROOT_INTERVAL)
    port.on('message', (request: WatchRequest) => this.#receive(request))
  }

  get #complete(): boolean {
    // Elsewhere watches have no common order, so that a cookie proves nothing.
    return process.platform === 'linux' && !this.#tree.refused && this.#tree.isCurrent
  }

  #receive(request: WatchRequest): void {
    if (request.kind === 'settle') this.#settle(request.id)
    else if (request.kind === 'taken') {
      this.#reported = false
      if (!this.#changes.isEmpty) this.#soon()
    } else this.#close()
  }

  #settle(id: number): void {
    if (!this.#tree.isCurrent) this.#beginAnew()
    const name = `${id}`
    this.#settling.set(name, {
      id,
      timer: setTimeout(() => this.#missed(name), COOKIE_TIMEOUT),
    })
    writeFileSync(join(this.#cookies, name), '')
  }

  #seen(name: string | null): void {
    const settling = name === null ? undefined : this.#settling.get(name)
    if (name === null || settling === undefined) return
    this.#settling.delete(name)
    clearTimeout(settling.timer)
    unlinkSync(join(this.#cookies, name))
    // The queue may have run over between the call and the cookie.
    if (this.#tree.lost) this.#beginAnew()
    this.#report()
    this.#send({ kind: 'settled', id: settling.id, complete: this.#complete })
  }

  #missed(name: string): void {
    this.#beginAnew()
    this.#seen(name)
  }

  #checkRoot(): void {
    if (!this.#tree.isOutdated) return
    this.#beginAnew()
    this.#soon()
  }

  #beginAnew(): void {
    this.#tree.begin()
    this.#changes.all('lost')
  }

  #soon(): void {
    if (this.#reported) return
    this.#timer ??= setSystemTimer(() => this.#report(), this.#delay, true)
  }

  #report(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    if (this.#changes.isEmpty) return
    this.#reported = true
    this.#send({ kind: 'changes', changes: this.#changes.take() })
  }

  #send(reply: WatchReply): void {
    this.#port.postMessage(reply)
  }

  #close(): void {
    this.#tree.close()
    this.#cookieWatch.close()
    clearInterval(this.#rootTimer)
    this.#timer?.cancel()
    for (const { timer } of this.#settling.values()) clearTimeout(timer)
    rmSync(this.#cookies, { recursive: true, force: true })
    // It ends this thread alone. Deno's port to the parent cannot be closed.
    process.exit()
  }
}

function main(port: MessagePort, data: WatchWorkerData): void {
  if (data.startAfter <= 0) new WatchThread(port, data)
  else setSystemTimer(() => new WatchThread(port, data), data.startAfter, true)
}

if (parentPort !== null) main(parentPort, workerData as WatchWorkerData)
