import { type Clock, LONGEST_DELAY, setSystemTimer, type Timer } from '@millrace/kit'
import { type SlicedWork, startSlices } from '../time/slices.ts'
import { type Frame, FrameRecorder, type FrameSources } from './frames.ts'
import { Marks } from './marks.ts'
import { type Sink, Subscribers } from './subscribers.ts'

export interface DashboardStats {
  clients: number
  /** Frames not sent to clients that did not read. */
  dropped: number
  /** Bytes of the last frame. */
  frameBytes: number
  /** Milliseconds from the beginning of the last frame to its end; a large registry is read in slices of half a millisecond. */
  frameTime: number
}

const IDLE_FACTOR = 10

/** Takes a frame at every interval, and sends it to those who look. */
export class LiveFrames {
  readonly #recorder: FrameRecorder
  readonly #subscribers: Subscribers
  readonly #clock: Clock
  readonly #interval: number
  readonly #first = Promise.withResolvers<void>()
  readonly #marks = new Marks()
  #frame: Frame | undefined
  #underWay: SlicedWork | undefined
  #timer: Timer | undefined
  #bytes = 0
  #time = 0

  /** @param interval milliseconds between two frames with a viewer; ten times as long without one */
  constructor(sources: FrameSources, interval: number, clock: Clock) {
    this.#recorder = new FrameRecorder(sources)
    this.#subscribers = new Subscribers((callback, delay) => clock.setTimer(callback, delay))
    this.#clock = clock
    this.#interval = interval
    this.#record()
    this.#schedule()
  }

  /** Resolves once there is a frame, or never will be. Keeps the process alive meanwhile, as whoever asked for one waits. */
  async ready(): Promise<void> {
    if (this.#frame !== undefined) return
    const hold = setSystemTimer(() => {}, LONGEST_DELAY, true)
    await this.#first.promise
    hold.cancel()
  }

  #schedule(): void {
    const watched = this.#subscribers.size > 0
    this.#recorder.watched = watched
    const delay = watched ? this.#interval : this.#interval * IDLE_FACTOR
    this.#timer = this.#clock.setTimer(() => {
      // A frame that takes longer than the interval goes on, and the next waits its turn.
      if (this.#underWay === undefined) this.#record()
      this.#schedule()
    }, delay)
  }

  #record(): void {
    const start = this.#clock.now()
    const steps = this.#recorder.take()
    this.#underWay = startSlices(steps, this.#clock, frame => {
      this.#underWay = undefined
      this.#publish(frame)
      this.#time = this.#clock.now() - start
    })
  }

  #publish(frame: Frame): void {
    this.#frame = frame
    this.#first.resolve()
    if (this.#subscribers.size === 0) return
    const event = this.#event('frame', frame)
    this.#bytes = event.length
    this.#subscribers.broadcast(event)
  }

  #event(name: string, data: object): Uint8Array<ArrayBuffer> {
    return Buffer.from(
      `id: ${this.#frame?.sequence ?? 0}\nevent: ${name}\ndata: ${JSON.stringify(data)}\n\n`,
    )
  }

  #snapshot(): Uint8Array<ArrayBuffer> {
    const { history, operation } = this.#recorder
    const marks = this.#marks.all
    return this.#event('snapshot', { frame: this.#frame, history, marks, operation })
  }

  /** Keeps a mark for all charts, and sends it at once. */
  mark(text: string): void {
    const { date, elapsed } = this.#recorder.moment()
    const mark = { time: date, elapsed, text }
    this.#marks.add(mark)
    if (this.#frame !== undefined) this.#subscribers.broadcast(this.#event('mark', mark))
  }

  /** Sends everything to a new client, and every frame from then on. */
  join(sink: Sink): void {
    const first = this.#subscribers.size === 0
    this.#subscribers.add(sink, Buffer.concat([Buffer.from('retry: 2000\n\n'), this.#snapshot()]))
    if (!first) return
    // The idle rhythm may have most of its pause ahead.
    this.#timer?.cancel()
    this.#schedule()
  }

  /** The client has read everything it was sent. */
  drained(sink: Sink): void {
    this.#subscribers.drained(sink, () => this.#snapshot())
  }

  leave(sink: Sink): void {
    this.#subscribers.remove(sink)
  }

  /** The last frame and those before it, as JSON. */
  json(): Uint8Array<ArrayBuffer> {
    const { history } = this.#recorder
    return Buffer.from(
      JSON.stringify({
        frame: this.#frame,
        history,
        marks: this.#marks.all,
        dashboard: this.stats(),
      }),
    )
  }

  stats(): DashboardStats {
    return {
      clients: this.#subscribers.size,
      dropped: this.#subscribers.dropped,
      frameBytes: this.#bytes,
      frameTime: this.#time,
    }
  }

  close(): void {
    this.#timer?.cancel()
    this.#underWay?.cancel()
    this.#first.resolve()
    this.#subscribers.close()
    this.#recorder.close()
  }
}
