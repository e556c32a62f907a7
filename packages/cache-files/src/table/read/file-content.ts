/** Bytes of a file together with what they are known by. Shared by all readers: not to be changed. */
export interface FileContent {
  /** Absolute path under which it was read. */
  readonly path: string
  readonly bytes: Buffer
  /** SHA-256 of {@link bytes}, in hex. */
  readonly hash: string
  /** False if the file was being written all the time; its bytes may then be half old and half new, and are not remembered. */
  readonly stable: boolean
}
