import { FileTable, ParseCache } from '@millrace/cache-files'
import { deriveFacts, factsVersion } from './derive-facts.ts'
import type { FileFacts } from './facts.ts'

/** The caches of one process: bytes with their hashes, and facts by those. */
export interface SourceCaches {
  readonly files: FileTable
  readonly facts: ParseCache<FileFacts>
}

const mebibyte = 1024 * 1024

export function createSourceCaches(): SourceCaches {
  // Each file is read once in a run, so contents need not be held for long.
  const files = new FileTable({ maxBytes: 8 * mebibyte })
  const facts = new ParseCache<FileFacts>({
    files,
    id: factsVersion,
    parse: (text, { path }) => deriveFacts(path, text),
    // Copies of a file are parsed once; what else decides is whether it is TypeScript, JSX or a declaration.
    variant: path => /(?:\.d)?\.[cm]?[jt]sx?$/.exec(path)?.[0] ?? '',
    maxEntries: 100_000,
    maxBytes: 64 * mebibyte,
    weigher: ({ imports, exports }) => 200 + 40 * (imports.length + exports.length),
  })
  return { files, facts }
}
