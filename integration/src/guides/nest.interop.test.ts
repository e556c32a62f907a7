import { execFile } from 'node:child_process'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { printsAs } from '@millrace/testkit/vitest'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { patientCode } from './patient-code.fixture.ts'

const execute = promisify(execFile)
const require = createRequire(import.meta.url)
const root = join(import.meta.dirname, '../../..')
const folder = join(root, 'integration/.readme/nest')
beforeAll(() => mkdir(folder, { recursive: true }))
afterAll(() => rm(folder, { recursive: true }))

/**
 * The one example in another dialect of decorators, marked `tsx` so that nobody takes it for the standard's. `npm run check:packages`
 * checks its types.
 */
async function nestExample(): Promise<{ code: string; output: string }> {
  const guide = await readFile(join(root, 'docs/frameworks.md'), 'utf8')
  const found = /^```tsx\n(.*?)^```\n\n```text\n(.*?)^```/ms.exec(guide)
  return { code: found![1]!, output: found![2]! }
}

test('a Nest application prints what its guide shows', async () => {
  const typescript = require('typescript-5.9') as typeof import('typescript-5.9')
  const { code, output } = await nestExample()
  const { outputText } = typescript.transpileModule(patientCode(code), {
    compilerOptions: {
      target: typescript.ScriptTarget.ES2022,
      module: typescript.ModuleKind.ESNext,
      experimentalDecorators: true,
      emitDecoratorMetadata: true,
    },
  })
  const file = join(folder, 'nest-app.mjs')
  await writeFile(file, outputText)
  const { stdout } = await execute(process.execPath, ['--conditions=millrace-source', file], {
    env: { ...process.env, NO_COLOR: '1' },
  })
  expect(printsAs(stdout, output), stdout).toBe(true)
})
