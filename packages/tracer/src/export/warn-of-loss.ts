import type { SpanExportError } from './span-export-error.ts'

/** What a warning says of an error: not the collector's own words, which may quote what was sent; nothing where no span was lost. */
export function lossOf({ message, status, spans }: SpanExportError): string | undefined {
  if (spans === 0) return undefined
  const refused = status !== undefined && status < 300
  return `${refused ? 'Collector refused spans' : message}; spans are lost, see tracer.stats()`
}

/** The `onError` of an exporter that was given none: a warning of the process, the first time that spans are lost. */
export function warnOfLoss(): (error: SpanExportError) => void {
  let warned = false
  return error => {
    const loss = lossOf(error)
    if (warned || loss === undefined) return
    warned = true
    process.emitWarning(loss, { code: 'MILLRACE_TRACER_EXPORT' })
  }
}
