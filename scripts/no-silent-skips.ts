import type { Reporter, TestModule } from 'vitest/node'
import { recordCounts } from './checks.ts'

/**
 * Fails a run in which a test was skipped, unless MILLRACE_SKIP_REDIS=1 asked for that; then says how many.
 * A suite that quietly does not run looks exactly like one that passes.
 */
export default class NoSilentSkips implements Reporter {
  onTestRunEnd(modules: ReadonlyArray<TestModule>, unhandledErrors: ReadonlyArray<unknown>): void {
    const skipped: string[] = []
    let passed = 0
    const failed = unhandledErrors.map(error => `unhandled: ${messageOf(error)}`)
    for (const module of modules) {
      for (const error of module.errors()) {
        failed.push(`${module.relativeModuleId}: ${messageOf(error)}`)
      }
      for (const test of module.children.allTests()) {
        const { state, errors } = test.result()
        const name = `${module.project.name} ${module.relativeModuleId}: ${test.fullName}`
        if (state === 'passed') passed++
        else if (state === 'failed') failed.push(`${name}: ${messageOf(errors?.[0])}`)
        else skipped.push(name)
      }
    }
    if (process.env.MILLRACE_SKIP_REDIS === '1') {
      console.log(
        `\n${skipped.length} tests skipped: MILLRACE_SKIP_REDIS=1 leaves out what needs a Redis server.`,
      )
    } else if (skipped.length > 0) {
      failed.push(...skipped.map(name => `skipped: ${name}`))
      console.error(`\n${skipped.length} tests were skipped, which fails the run:`)
      for (const name of skipped) console.error(`  ${name}`)
      process.exitCode = 1
    }
    recordCounts(passed, failed)
  }
}

/** The first line, cut off: names of what failed are read as a list. */
function messageOf(error: unknown): string {
  const message = (error as { message?: unknown } | undefined)?.message ?? error
  return String(message).split('\n', 1)[0]!.slice(0, 200)
}
