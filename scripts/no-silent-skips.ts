import type { Reporter, TestModule } from 'vitest/node'

/**
 * Fails a run in which a test was skipped, unless MILLRACE_SKIP_REDIS=1 asked for that; then says how many.
 * A suite that quietly does not run looks exactly like one that passes.
 */
export default class NoSilentSkips implements Reporter {
  onTestRunEnd(modules: ReadonlyArray<TestModule>): void {
    const skipped: string[] = []
    for (const module of modules) {
      for (const test of module.children.allTests('skipped')) {
        skipped.push(`${module.relativeModuleId}: ${test.fullName}`)
      }
    }
    if (skipped.length === 0) return
    if (process.env.MILLRACE_SKIP_REDIS === '1') {
      console.log(
        `\n${skipped.length} tests skipped: MILLRACE_SKIP_REDIS=1 leaves out what needs a Redis server.`,
      )
      return
    }
    console.error(`\n${skipped.length} tests were skipped, which fails the run:`)
    for (const name of skipped) console.error(`  ${name}`)
    process.exitCode = 1
  }
}
