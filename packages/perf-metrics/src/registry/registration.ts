/** Undoes a registration. */
export interface Registration {
  remove(): void
  [Symbol.dispose](): void
}

export function registration(undo: () => void): Registration {
  return { remove: undo, [Symbol.dispose]: undo }
}
