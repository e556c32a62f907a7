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
    let failed = unhandledErrors.length
    for (const module of modules) {
      failed += module.errors().length
      for (const test of module.children.allTests()) {
        const { state } = test.result()
        if (state === 'passed') passed++
        else if (state === 'failed') failed++
        else skipped.push(`${module.relativeModuleId}: ${test.fullName}`)
      }
    }
    if (process.env.MILLRACE_SKIP_REDIS === '1') {
      console.log(
        `\n${skipped.length} tests skipped: MILLRACE_SKIP_REDIS=1 leaves out what needs a Redis server.`,
      )
    } else if (skipped.length > 0) {
      failed += skipped.length
      console.error(`\n${skipped.length} tests were skipped, which fails the run:`)
      for (const name of skipped) console.error(`  ${name}`)
      process.exitCode = 1
    }
    recordCounts(passed, failed)
  }
}
