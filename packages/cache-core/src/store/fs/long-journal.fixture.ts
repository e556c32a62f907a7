import { appendFile, readFile } from 'node:fs/promises'
import { RECORD_LENGTH } from './journal-record.ts'

/** Makes a journal so long that a sweep ends it, as a process does that invalidates the same name again and again. */
export async function repeatLastRecord(journal: string): Promise<void> {
  const record = (await readFile(journal)).subarray(-RECORD_LENGTH)
  await appendFile(journal, Buffer.concat(Array.from({ length: 33_000 }, () => record)))
}
