import { tell } from '@millrace/kit'
import { type Registration, registration } from './registration.ts'

/** What brings instruments up to date before an export. One that throws is counted, and hides no other. */
export class Collectors {
  readonly #collectors = new Set<() => void>()
  #failures = 0

  readonly #failed = (): void => {
    this.#failures++
  }

  /** How often a collector threw, or rejected. */
  get failures(): number {
    return this.#failures
  }

  add(collect: () => void): Registration {
    this.#collectors.add(collect)
    return registration(() => this.#collectors.delete(collect))
  }

  run(): void {
    for (const collect of this.#collectors) {
      tell(collect, undefined, this.#failed)
    }
  }
}
