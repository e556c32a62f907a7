import type { Controller, Handler, ResponseHeaders } from './handler.ts'

type Upgrade = Parameters<NonNullable<Handler['onRequestUpgrade']>>

/** Hands all that it is told on to another handler: what stands between a request and its caller overrides what it changes. */
export class ForwardingHandler implements Handler {
  protected readonly downstream: Handler

  constructor(downstream: Handler) {
    this.downstream = downstream
  }

  onRequestStart(controller: Controller, context: unknown): void {
    this.downstream.onRequestStart?.(controller, context)
  }

  onRequestUpgrade(...upgrade: Upgrade): void {
    this.downstream.onRequestUpgrade?.(...upgrade)
  }

  onResponseStarted(): void {
    this.downstream.onResponseStarted?.()
  }

  onResponseStart(
    controller: Controller,
    statusCode: number,
    headers: ResponseHeaders,
    statusMessage?: string,
  ): void {
    this.downstream.onResponseStart?.(controller, statusCode, headers, statusMessage)
  }

  onResponseData(controller: Controller, chunk: Buffer): void {
    this.downstream.onResponseData?.(controller, chunk)
  }

  onResponseEnd(controller: Controller, trailers: ResponseHeaders): void {
    this.downstream.onResponseEnd?.(controller, trailers)
  }

  /** @param controller null for a request that was refused before it had one, which the type of undici does not say */
  onResponseError(controller: Controller | null, error: Error): void {
    this.downstream.onResponseError?.(controller as Controller, error)
  }

  onBodySent(chunk: Buffer): void {
    this.downstream.onBodySent?.(chunk)
  }

  onRequestSent(): void {
    this.downstream.onRequestSent?.()
  }
}
