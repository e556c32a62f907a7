/** An answer of the registry that is none of those it can have about a package. */
export class RegistryAnswerError extends Error {
  override readonly name = 'RegistryAnswerError'
  readonly code = 'ERR_MILLRACE_REGISTRY_ANSWER'

  /** @param answer what it answered: a status, or what the body was not */
  constructor(origin: string, answer: string, options?: ErrorOptions) {
    super(`${origin} answered ${answer}`, options)
  }
}
