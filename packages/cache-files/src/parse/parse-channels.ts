import { OperationChannels } from '@millrace/kit'

/** What the channels `millrace:files:parse:start` and `…:end` carry, the same object on both. */
export interface ParseMessage {
  /** The cache's `id`. */
  readonly parser: string
  /** Absolute path of the file. */
  readonly path: string
  /** Size of the source in bytes. */
  readonly bytes: number
  /** On `end` only, if the parser threw. */
  error?: unknown
}

/** One message per run of a parser. */
export const parseChannels: OperationChannels<ParseMessage> = new OperationChannels(
  'millrace:files:parse',
)
