import type { Socket } from 'node:net'

/** The status line of what comes before a response, up to the first digit of its status. */
const INTERIM = 'HTTP/1.1 1'
const VERSION_DIGIT = 7
const STATUS = 9
const STATUS_END = 12
const END = '\r\n\r\n'
/** Of a head that does not end; Node's own bound. */
const MAX_HEAD = 16 * 1024
const NOTHING = Buffer.alloc(0)

/**
 * Leaves out what a server says by `100 Continue` without having been asked: RFC 9110 section 15.2 has a client read over it, undici
 * ends the connection.
 *
 * It looks at the first bytes of each response, and nowhere else.
 */
export class ContinueFilter {
  /** A request has gone out, and nothing of its response has come. */
  awaitsHead = true
  /** The beginning of what may be such a head. */
  #held: Buffer | undefined

  /** @param socket what undici reads by `read()` */
  constructor(socket: Socket) {
    const read = socket.read.bind(socket) as (size?: number) => Buffer | null
    // Node's own streams read 0 bytes to have more fetched.
    socket.read = size => (size === undefined ? this.#next(read) : read(size))
  }

  #next(read: () => Buffer | null): Buffer | null {
    for (;;) {
      const chunk = read()
      if (chunk === null || !this.awaitsHead) return chunk
      const bytes = this.#held === undefined ? chunk : Buffer.concat([this.#held, chunk])
      this.#held = undefined
      const left = this.#leaveOut(bytes)
      if (left.length > 0) return left
    }
  }

  /** What is left of the first bytes of a response; those that do not tell yet are held back. */
  #leaveOut(bytes: Buffer): Buffer {
    const kept: Buffer[] = []
    let rest = bytes
    let length = interimLength(rest)
    while (length !== undefined && length > 0) {
      if (!isContinue(rest)) kept.push(rest.subarray(0, length))
      rest = rest.subarray(length)
      length = interimLength(rest)
    }
    if (length === undefined) this.#held = rest
    else this.awaitsHead = false
    if (kept.length === 0) return length === undefined ? NOTHING : rest
    return Buffer.concat(length === undefined ? kept : [...kept, rest])
  }
}

function isContinue(head: Buffer): boolean {
  return head.toString('latin1', STATUS, STATUS_END) === '100'
}

/** The length of an interim head that the bytes begin with; 0 if it is a final one; undefined if it takes more bytes to tell. */
function interimLength(bytes: Buffer): number | undefined {
  const known = Math.min(bytes.length, INTERIM.length)
  // From the digit on which nearly all statuses differ.
  for (let i = known - 1; i >= 0; i--) {
    if (i !== VERSION_DIGIT && bytes[i] !== INTERIM.charCodeAt(i)) return 0
  }
  // After a 101 it is another protocol.
  if (bytes.toString('latin1', STATUS, STATUS_END) === '101') return 0
  const end = bytes.indexOf(END, 0, 'latin1')
  if (end !== -1) return end + END.length
  return bytes.length > MAX_HEAD ? 0 : undefined
}
