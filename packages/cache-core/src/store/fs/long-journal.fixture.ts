import { appendFile, readFile } from 'node:fs/promises'

/** Bytes of a record: a letter, a name's hash, a line feed. */
const RECORD = 24

/** Makes a journal so long that a sweep ends it, as a process does that invalidates the same name again and again. */
export async function repeatLastRecord(journal: string): Promise<void> {
  const record = (await readFile(journal)).subarray(-RECORD)
  await appendFile(journal, Buffer.concat(Array.from({ length: 44_000 }, () => record)))
}
