import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { codeBlocks, printsAs } from './code-blocks.ts'
import { checkBlocks, runBlock } from './run-block.ts'

/** Options of {@link testReadme}. */
export interface ReadmeOptions {
  /**
   * Environment for the blocks besides the present one, such as `REDIS_URL`; a function is called when a block starts,
   * so that it can name a server which a hook started.
   */
  readonly env?: Record<string, string> | (() => Record<string, string>)
  /** The package as which the blocks resolve imports. Default: the folder of the README. */
  readonly package?: URL
  /** What runs in the place of a block, such as one that waits for longer than a machine stands still. Default: the block as it is */
  readonly runnable?: (code: string) => string
}

/**
 * Makes one test per `ts` block of a README: the block runs as a script of its package under Node, and what it prints
 * must be what the `text` (or `console`) block after it shows, `…` standing for what varies; without such a block it
 * must exit with 0. One more test type-checks all blocks. A block marked `ts no-run` is only type-checked.
 *
 * Blocks are written to `.readme/` in the package, so that they resolve imports as it does.
 *
 * @param readme for instance `new URL('../README.md', import.meta.url)`
 */
export function testReadme(
  readme: URL | string,
  { env = {}, package: owner, runnable = code => code }: ReadmeOptions = {},
): void {
  const path = typeof readme === 'string' ? readme : fileURLToPath(readme)
  const folder = join(owner === undefined ? dirname(path) : fileURLToPath(owner), '.readme')
  const blocks = codeBlocks(readFileSync(path, 'utf8')).map(block => ({
    ...block,
    file: join(folder, `line-${block.line}.ts`),
  }))

  describe('README', () => {
    // Examples are clearer without the removal of their temporary files.
    let temporary: string
    beforeAll(() => {
      temporary = mkdtempSync(join(tmpdir(), 'millrace-readme-'))
    })
    afterAll(() => rmSync(temporary, { recursive: true }))

    test('has an example', () => expect(blocks.length).toBeGreaterThan(0))

    test('its examples type-check', async () => {
      const { exit, stdout } = await checkBlocks(folder, blocks)
      expect(stdout).toBe('')
      expect(exit).toBe(0)
    })

    for (const { line, code, output, run, file } of blocks) {
      if (!run) continue
      test(`the example on line ${line} ${output === undefined ? 'runs' : 'prints what it shows'}`, async () => {
        const extra = typeof env === 'function' ? env() : env
        const { FORCE_COLOR: _, ...present } = process.env
        const own = { NO_COLOR: '1', TMPDIR: temporary }
        const result = await runBlock(runnable(code), file, { ...present, ...own, ...extra })
        expect(result.exit, result.stderr).toBe(0)
        if (output === undefined || printsAs(result.stdout, output)) return
        expect(result.stdout.trimEnd()).toBe(output)
      })
    }
  })
}
