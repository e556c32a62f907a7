import { AttributeList } from '../attributes/attribute-list.ts'
import type { Resource } from '../resource.ts'
import type { Scope } from '../span/span.ts'
import { writeList } from './protobuf-values.ts'
import { ProtobufWriter } from './protobuf-writer.ts'

/** Bytes of the spans of one scope. */
export class ScopeBuffer {
  readonly #head: Uint8Array
  readonly #tail: Uint8Array
  readonly writer: ProtobufWriter = new ProtobufWriter(16 * 1024)

  constructor(scope: Scope) {
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

  /** Bytes of the ScopeSpans message; 0 where there are no spans. */
  get size(): number {
    const { pos } = this.writer
    return pos === 0 ? 0 : this.#head.length + pos + this.#tail.length
  }

  /** Appends the message as field 2 of ResourceSpans, and starts anew. */
  moveTo(out: ProtobufWriter): void {
    const { size, writer } = this
    if (size === 0) return
    out.byte(0x12)
    out.varint(size)
    out.raw(this.#head)
    out.raw(writer.bytes.subarray(0, writer.pos))
    out.raw(this.#tail)
    writer.pos = 0
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
