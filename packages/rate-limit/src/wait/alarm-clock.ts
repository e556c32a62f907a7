import { type Clock, setAwaitedTimer, type Timer } from '@millrace/kit'
import { type Ranked, RankedHeap } from './line/ranked-heap.ts'

/** One alarm; its rank is the time at which it rings. */
class Alarm implements Ranked, Timer {
  index = -1
  readonly rank: number
  readonly callback: () => void
  readonly #owner: AlarmClock

  constructor(rank: number, callback: () => void, owner: AlarmClock) {
    this.rank = rank
    this.callback = callback
    this.#owner = owner
  }

  cancel(): void {
    this.#owner.remove(this)
  }
}

/** A clock that serves any number of timers with one timer of the clock beneath. */
export class AlarmClock implements Clock {
  readonly #clock: Clock
  readonly #alarms = new RankedHeap<Alarm>()
  #timer: Timer | undefined = undefined
  #wakeAt = Infinity

  constructor(clock: Clock) {
    this.#clock = clock
  }

  now(): number {
    return this.#clock.now()
  }

  setTimer(callback: () => void, delay: number): Timer {
    const alarm = new Alarm(this.now() + delay, callback, this)
    this.#alarms.add(alarm)
    this.#arm()
    return alarm
  }

  /** @internal */
  remove(alarm: Alarm): void {
    this.#alarms.remove(alarm)
    this.#arm()
  }

  #arm(): void {
    const at = this.#alarms.peek()?.rank ?? Infinity
    if (at === Infinity || at < this.#wakeAt) {
      this.#timer?.cancel()
      this.#timer = undefined
      this.#wakeAt = at
    }
    if (at === Infinity || this.#timer !== undefined) return
    this.#timer = setAwaitedTimer(this.#clock, this.#ring, Math.max(0, at - this.now()))
  }

  readonly #ring = (): void => {
    const now = this.now()
    // `wakeAt` stays below every alarm until the end, so that alarms set by callbacks do not each set a timer.
    this.#wakeAt = -Infinity
    for (let alarm = this.#alarms.peek(); alarm !== undefined; alarm = this.#alarms.peek()) {
      if (alarm.rank > now) break
      this.#alarms.remove(alarm)
      alarm.callback()
    }
    this.#timer = undefined
    this.#wakeAt = Infinity
    this.#arm()
  }
}
