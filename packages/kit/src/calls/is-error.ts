const ERROR = /^\[object (Error|DOMException)]$/

/** Whether a value is an error, be it of another realm, as Node's own are in a test of Jest. */
export function isError(value: unknown): value is Error {
  return value instanceof Error || ERROR.test(Object.prototype.toString.call(value))
}
