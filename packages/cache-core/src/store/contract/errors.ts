/** A call was made on a store after its `close`. */
export class StoreClosedError extends Error {
  override readonly name = 'StoreClosedError'
  readonly code = 'ERR_MILLRACE_STORE_CLOSED'

  constructor() {
    super('The store is closed')
  }
}

/** A store's files cannot be used: the folder is not writable, the disk is full, another process holds a lock too long. */
export class StoreUnavailableError extends Error {
  override readonly name = 'StoreUnavailableError'
  readonly code = 'ERR_MILLRACE_STORE_UNAVAILABLE'
  /** The file or folder. */
  readonly path: string

  constructor(path: string, problem: string, options?: ErrorOptions) {
    super(`The store at ${path} ${problem}`, options)
    this.path = path
  }
}

/** A value has no form that the store's codec can read back. Nothing was stored, and the key has the value that it had. */
export class UnencodableValueError extends TypeError {
  override readonly name = 'UnencodableValueError'
  readonly code = 'ERR_MILLRACE_UNENCODABLE_VALUE'

  /** @param options with what the codec threw as `cause` */
  constructor(options?: ErrorOptions) {
    super('The value cannot be encoded for the store', options)
  }
}
