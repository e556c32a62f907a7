import type { Resource } from '../../export/resource.ts'
import type { Scope } from '../../span/api/span.ts'
import { AttributeList } from '../../span/attributes/attribute-list.ts'
import type { BufferStock } from './buffer-stock.ts'
import { writeList } from './protobuf-values.ts'
import { ProtobufWriter } from './protobuf-writer.ts'

/** Room at first, and at least: a program has dozens of scopes, most of them seldom used. */
const CAPACITY = 4 * 1024

/**
 * Collects the spans of one scope as a whole ResourceSpans message. Repeating the resource in each costs some hundred bytes
 * per piece, and lets a finished piece go to the queue without being copied.
 */
export class ScopeBuffer {
  readonly #head: Uint8Array
  readonly #tail: Uint8Array
  readonly writer: ProtobufWriter
  #resourceStart = 0
  #scopeStart = 0

  constructor(scope: Scope, stock: BufferStock) {
    this.writer = new ProtobufWriter(CAPACITY, stock)
    this.#head = encode(writer => {
      const start = writer.begin(0x0a)
      writer.text(0x0a, scope.name)
      if (scope.version !== undefined) writer.text(0x12, scope.version)
      writeList(writer, 0x1a, AttributeList.of(scope.attributes ?? {}))
      writer.end(start)
    })
    this.#tail = encode(writer => {
      if (scope.schemaUrl !== undefined) writer.text(0x1a, scope.schemaUrl)
    })
  }

  /** Begins a piece, unless one is begun. */
  open(resource: Uint8Array): void {
    const { writer } = this
    if (writer.pos > 0) return
    this.#resourceStart = writer.begin(0x0a)
    writer.ensure(resource.length + this.#head.length)
    writer.raw(resource)
    this.#scopeStart = writer.begin(0x12)
    writer.raw(this.#head)
  }

  /** The finished piece, or undefined where none was begun. */
  take(): Uint8Array | undefined {
    const { writer } = this
    if (writer.pos === 0) return undefined
    writer.ensure(this.#tail.length)
    writer.raw(this.#tail)
    writer.end(this.#scopeStart)
    writer.end(this.#resourceStart)
    // The next piece will be about as large.
    return writer.take(Math.max(CAPACITY, Math.ceil(writer.pos * 1.25)))
  }
}

/** The `resource` field of a ResourceSpans message. */
export function encodeResource(resource: Resource): Uint8Array {
  return encode(writer => {
    const start = writer.begin(0x0a)
    writeList(writer, 0x0a, AttributeList.of(resource))
    writer.end(start)
  })
}

function encode(write: (writer: ProtobufWriter) => void): Uint8Array {
  const writer = new ProtobufWriter(256)
  write(writer)
  return writer.bytes.subarray(0, writer.pos)
}
