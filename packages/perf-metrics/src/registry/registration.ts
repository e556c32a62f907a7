/** Something that goes on until it is closed. */
export interface Registration {
  /** Ends it. Has no effect the second time. */
  close(): void
  /** As {@link close}. */
  [Symbol.dispose](): void
}

export function registration(close: () => void): Registration {
  return { close, [Symbol.dispose]: close }
}
