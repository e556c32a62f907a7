/** Thrown through queries when a file turns out to have changed since this revision first looked at it. */
export class RevisionConflict extends Error {
  readonly path: string

  constructor(path: string) {
    super(`${path} changed during the revision`)
    this.path = path
  }
}
