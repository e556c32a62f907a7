import { nameText } from './name-text.ts'
import { type SpanStatus, StatusCode } from './span.ts'

/** What a status asks for; undefined where it is no status, or UNSET, which changes nothing. */
export function statusInput(status: SpanStatus): { code: StatusCode; message: string } | undefined {
  try {
    const { code, message } = status
    if (code === StatusCode.OK) return { code, message: '' }
    if (code !== StatusCode.ERROR) return undefined
    return { code, message: message === undefined ? '' : nameText(message) }
  } catch {
    return undefined
  }
}
