import type { Socket } from 'node:net'

/** Of a status line, but for its last digit of the version. */
const STATUS_LINE = 'HTTP/1.1 100'
const VERSION_DIGIT = 7
const STATUS = 9
const END = '\r\n\r\n'
/** Of a head that does not end; Node's own bound. */
const MAX_HEAD = 16 * 1024

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
      let bytes = this.#held === undefined ? chunk : Buffer.concat([this.#held, chunk])
      let length = continueLength(bytes)
      while (length !== undefined && length > 0) {
        bytes = bytes.subarray(length)
        length = continueLength(bytes)
      }
      this.#held = length === undefined ? bytes : undefined
      if (length === undefined) continue
      this.awaitsHead = false
      return bytes
    }
  }
}

/** How many of the first bytes are a `100 Continue`; undefined if that takes more bytes to tell. */
function continueLength(bytes: Buffer): number | undefined {
  // What all other statuses differ in, but for those of the same class.
  if (bytes.length > STATUS && bytes[STATUS] !== STATUS_LINE.charCodeAt(STATUS)) return 0
  const known = Math.min(bytes.length, STATUS_LINE.length)
  for (let i = 0; i < known; i++) {
    if (i !== VERSION_DIGIT && bytes[i] !== STATUS_LINE.charCodeAt(i)) return 0
  }
  const end = bytes.indexOf(END, 0, 'latin1')
  if (end !== -1) return end + END.length
  return bytes.length > MAX_HEAD ? 0 : undefined
}
