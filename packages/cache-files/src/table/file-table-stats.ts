/** Counters of a `FileTable`. */
export interface FileTableStats {
  /** Files whose hash is remembered. */
  readonly files: number
  /** Folders whose names are remembered. */
  readonly folders: number
  /** Contents held; files with the same bytes share one. */
  readonly contents: number
  /** Bytes of contents held. */
  readonly bytes: number
  /** Calls answered without reading. */
  readonly hits: number
  /** Of the {@link hits}, those answered without even a `stat`. */
  readonly trusted: number
  /** Calls for which the file was read. */
  readonly reads: number
  /** Of the {@link reads}, those made only because the file had been touched too shortly before the last one. */
  readonly racyReads: number
  /** Files that changed all the while they were read. */
  readonly unstable: number
  /** Files that could not be read. */
  readonly errors: number
  /** Changes of what `dump` returns since the last `dump` or `load`: while it is 0 there is nothing to save. */
  readonly unsaved: number
}
