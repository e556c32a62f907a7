/** Times that the pool sets and a single call may change. All in ms, above 0; Infinity for no limit. */
export interface Timeouts {
  /** Waiting for a permit and a connection. Default: 10,000 */
  readonly acquireTimeout?: number | undefined
  /** From the latest chunk sent to the head of the final response. Default: 30,000 */
  readonly headersTimeout?: number | undefined
  /** Between two chunks of the response, while the reader keeps up. Default: 30,000; none for `text/event-stream` */
  readonly bodyTimeout?: number | undefined
  /** From the call to the last byte, over all attempts and redirects. Default: Infinity */
  readonly totalTimeout?: number | undefined
}

/** What a single call may change. */
export interface HttpCallOptions extends Timeouts {
  /** Aborts the call in any phase. */
  readonly signal?: AbortSignal | undefined
  /** Redirects to follow; 0 hands them to the caller. Default: the pool's */
  readonly maxRedirects?: number | undefined
  /** Most bytes of the body. Default: the pool's */
  readonly maxResponseSize?: number | undefined
  /**
   * `false`: one attempt. `true`: this call may be retried whatever its method is; its body must be
   * one that can be sent twice. Default: the pool's policy, for its methods
   */
  readonly retry?: boolean | undefined
}
