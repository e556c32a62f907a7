import type Bottleneck from 'bottleneck'

/** What is used of bottleneck's queue beyond its published type: doubly linked lists by priority. */
interface QueueNode {
  value: { options: { id?: string }; doDrop(options: { message: string }): void }
  prev: QueueNode | null
  next: QueueNode | null
}

interface QueueList {
  _first: QueueNode | null
  _last: QueueNode | null
  length: number
  decr(): void
}

/** Words of the error of a job that was taken out, which nobody hears any more. */
const GIVEN_UP = 'This job has been given up while it was waiting'

/**
 * Takes a job that was given up out of bottleneck's queue, so that it uses none of its places, starts and intervals. bottleneck has no way
 * to do so. O(jobs of the same priority).
 *
 * @returns whether it was waiting there
 */
export function dropQueued(limiter: Bottleneck, priority: number, id: string): boolean {
  const { _lists } = (limiter as unknown as { _queues: { _lists: readonly QueueList[] } })._queues
  const list = _lists[priority]!
  for (let node = list._first; node !== null; node = node.next) {
    if (node.value.options.id !== id) continue
    if (node.prev === null) list._first = node.next
    else node.prev.next = node.next
    if (node.next === null) list._last = node.prev
    else node.next.prev = node.prev
    list.length--
    list.decr()
    node.value.doDrop({ message: GIVEN_UP })
    return true
  }
  return false
}
