import { InvalidRequestError, type RequestPart } from '../errors.ts'

const FAULTY_PARTS: readonly { word: string; part: RequestPart }[] = [
  { word: 'header', part: 'headers' },
  { word: 'body', part: 'body' },
  { word: 'method', part: 'method' },
]

/** What Node says of a part of a body that is not to be written, over HTTP/1.1 and over HTTP/2. */
const UNFIT_PART =
  /^The "(?:string|chunk)" argument must be of type string or an instance of Buffer/

/** undici finds most faults of a request while it builds its head, before a byte is sent. */
export function toPoolError(error: Error): Error {
  const { code, message } = error as NodeJS.ErrnoException
  // Without the cause, which quotes the part.
  const isUnfit = code === 'ERR_INVALID_ARG_TYPE' && UNFIT_PART.test(message)
  if (isUnfit || code === 'ERR_STREAM_NULL_VALUES') {
    return new InvalidRequestError('body', 'A part of the body is neither a text nor bytes')
  }
  if (code === 'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH') {
    return new InvalidRequestError(
      'headers',
      'The header content-length does not say how long the body is',
      { cause: error },
    )
  }
  // The second one for `Expect`, which undici does not send.
  if (code !== 'UND_ERR_INVALID_ARG' && code !== 'UND_ERR_NOT_SUPPORTED') return error
  const part = FAULTY_PARTS.find(each => error.message.includes(each.word))?.part ?? 'url'
  return new InvalidRequestError(part, error.message, { cause: error })
}
