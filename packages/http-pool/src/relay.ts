import { ForwardingHandler } from './forwarding-handler.ts'
import type { Controller, RawHeaders, ResponseHeaders } from './handler.ts'

/** A handler that is the controller of the one behind it: what it hands on need not be what comes in, nor end with that. */
export abstract class Relay extends ForwardingHandler implements Controller {
  protected upstream: Controller | null = null
  settled = false

  aborted = false
  paused = false
  reason: Error | null = null
  rawHeaders: RawHeaders = null
  rawTrailers: RawHeaders = null

  abstract abort(reason: Error): void

  pause(): void {
    this.paused = true
    this.upstream?.pause()
  }

  resume(): void {
    this.paused = false
    this.upstream?.resume()
  }

  override onRequestStart(controller: Controller, context: unknown): void {
    this.upstream = controller
    this.downstream.onRequestStart?.(this, context)
  }

  override onResponseStarted(): void {
    if (!this.settled) super.onResponseStarted()
  }

  override onBodySent(chunk: Buffer): void {
    if (!this.settled) super.onBodySent(chunk)
  }

  override onRequestSent(): void {
    if (!this.settled) super.onRequestSent()
  }

  /** The end, unless it has come already. */
  protected end(trailers: ResponseHeaders): void {
    if (this.settled) return
    this.settled = true
    this.downstream.onResponseEnd?.(this, trailers)
  }
}
