import { BaseSpan } from './base-span.ts'
import type { Span } from './span.ts'

/** The methods of a span that records nothing. */
export abstract class IdleSpan extends BaseSpan implements Span {
  setAttribute(): this {
    return this
  }

  setAttributes(): this {
    return this
  }

  addEvent(): this {
    return this
  }

  addLink(): this {
    return this
  }

  addLinks(): this {
    return this
  }

  setStatus(): this {
    return this
  }

  updateName(): this {
    return this
  }

  end(): void {}

  isRecording(): boolean {
    return false
  }

  recordException(): void {}
}
