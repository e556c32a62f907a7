import { InvalidRequestError, type RequestPart } from '../errors.ts'

const FAULTY_PARTS: readonly { word: string; part: RequestPart }[] = [
  { word: 'header', part: 'headers' },
  { word: 'body', part: 'body' },
  { word: 'method', part: 'method' },
]

/** undici finds most faults of a request while it builds its head, before a byte is sent. */
export function toPoolError(error: Error): Error {
  const { code } = error as NodeJS.ErrnoException
  // The second one for `Expect`, which undici does not send.
  if (code !== 'UND_ERR_INVALID_ARG' && code !== 'UND_ERR_NOT_SUPPORTED') return error
  const part = FAULTY_PARTS.find(each => error.message.includes(each.word))?.part ?? 'url'
  return new InvalidRequestError(part, error.message, { cause: error })
}
