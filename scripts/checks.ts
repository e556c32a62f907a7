import { appendFileSync } from 'node:fs'

/** Named checks that all run, however many fail; their count, and what failed, goes to the file that MILLRACE_COUNTS names, for CI. */
export class Checks {
  #passed = 0
  readonly #failed: string[] = []

  /** Runs one check; false or an error is a failure. */
  async expect(name: string, check: () => boolean | Promise<boolean>): Promise<boolean> {
    let passed = false
    const begun = performance.now()
    try {
      passed = await check()
    } catch (error) {
      console.error(error instanceof Error ? error.message : error)
    }
    if (passed) this.#passed++
    else this.#failed.push(name)
    const seconds = ((performance.now() - begun) / 1_000).toFixed(1)
    console.log(`${passed ? 'ok    ' : 'FAILED'} ${name} (${seconds} s)`)
    return passed
  }

  /** Prints what failed and returns the exit code. */
  report(): number {
    for (const name of this.#failed) console.error(`failed: ${name}`)
    console.log(`checks: ${this.#passed} passed, ${this.#failed.length} failed`)
    recordCounts(this.#passed, this.#failed)
    return this.#failed.length === 0 ? 0 : 1
  }
}

/** Adds a line `passed failed`, and one `- name` for each that failed, to the file that MILLRACE_COUNTS names; does nothing without it. */
export function recordCounts(passed: number, failed: readonly string[]): void {
  const file = process.env.MILLRACE_COUNTS
  if (!file) return
  const names = failed.map(name => `- ${name.replaceAll('\n', ' ')}\n`).join('')
  appendFileSync(file, `${passed} ${failed.length}\n${names}`)
}
