import type { Waiter } from '../waiter.ts'
import type { QueueProxy } from './queue-proxy.ts'

/** Those who wait for one limit, as seen by a queue whose first call wants that limit among others. */
export interface Line {
  /**
   * Has a proxy of `head` wait in the line, and calls `onTurn` instead of letting it pass.
   *
   * @param key whose turn it is there, where the limit is shared among keys
   * @param returned whether it has had a turn there: it is served before all that have not
   */
  join(head: Waiter, key: string | undefined, returned: boolean, onTurn: () => void): QueueProxy
  /** Has the line wait with a proxy of `head` in front, whose turn it is: nothing passes before it has left. */
  hold(head: Waiter): QueueProxy
  leave(proxy: QueueProxy): void
}
