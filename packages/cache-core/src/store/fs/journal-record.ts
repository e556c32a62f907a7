import { crc32 } from 'node:zlib'

/** Characters of a record: a letter, a body, their CRC-32 in hexadecimal digits, and a line feed. */
export const RECORD_LENGTH = 32
/** Of a record's body: a name's hash, or digits filled up with dashes. */
const BODY_LENGTH = 22
const CHECKED = 1 + BODY_LENGTH

/** One line of a journal. */
export interface JournalRecord {
  readonly letter: string
  readonly body: string
}

/** @param body filled up with dashes */
export function encodeRecord(letter: string, body: string): string {
  const content = letter + body.padEnd(BODY_LENGTH, '-')
  return `${content}${checksumOf(content)}\n`
}

/** `undefined` if the line was torn, or is not what was written. */
export function decodeRecord(line: string): JournalRecord | undefined {
  const content = line.slice(0, CHECKED)
  if (line !== `${content}${checksumOf(content)}\n`) return undefined
  return { letter: content[0]!, body: content.slice(1) }
}

/** CRC-32 in 8 hexadecimal digits. */
export function checksumOf(content: string): string {
  return crc32(content).toString(16).padStart(8, '0')
}
