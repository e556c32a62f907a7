import { Buffer } from 'node:buffer'
import type { ResponseHeaders } from '../../handler.ts'

/** As they would have come over the wire: `undici.fetch` reads these and not the parsed ones. */
export function rawHeaders(headers: ResponseHeaders): Buffer[] {
  const list: Buffer[] = []
  for (const [name, value] of Object.entries(headers)) {
    for (const each of Array.isArray(value) ? value : [value]) {
      list.push(Buffer.from(name, 'latin1'), Buffer.from(String(each), 'latin1'))
    }
  }
  return list
}
