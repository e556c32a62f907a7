/** What to answer, before it takes the form of either kind of server. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Uint8Array<ArrayBuffer>
}

export const SECURITY: Answer['headers'] = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'x-robots-tag': 'noindex',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
}

export const STREAM_HEADERS: Answer['headers'] = {
  ...SECURITY,
  'content-type': 'text/event-stream',
  'cache-control': 'no-store, no-transform',
  // nginx buffers event streams unless told otherwise.
  'x-accel-buffering': 'no',
}

/** The same to strangers as for what does not exist. */
export const NOT_FOUND: Answer = { status: 404, headers: { 'x-content-type-options': 'nosniff' } }
