import { execFile } from 'node:child_process'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { codeBlocks, printsAs } from '@millrace/testkit/vitest'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

const execute = promisify(execFile)
const require = createRequire(import.meta.url)
const root = join(import.meta.dirname, '../../..')
const folder = join(root, 'integration/.readme/types')
beforeAll(() => mkdir(folder, { recursive: true }))
afterAll(() => rm(folder, { recursive: true }))

const compilers = {
  'TypeScript 5.9': require.resolve('typescript-5.9/lib/tsc.js'),
  'TypeScript 7': join(root, 'node_modules/typescript/bin/tsc'),
}

/** What Nest's own starter sets. */
const NEST = {
  experimentalDecorators: true,
  emitDecoratorMetadata: true,
  erasableSyntaxOnly: false,
  verbatimModuleSyntax: false,
}

const read = (guide: string): Promise<string> => readFile(join(root, 'docs', guide), 'utf8')

/** What the compiler says of the files. */
async function errorsOf(
  compiler: string,
  files: readonly string[],
  options: object = {},
): Promise<string> {
  const config = join(folder, 'tsconfig.json')
  const compilerOptions = { typeRoots: [join(root, 'node_modules/@types')], ...options }
  await writeFile(
    config,
    JSON.stringify({ extends: '../../../tsconfig.base.json', compilerOptions, files }),
  )
  return execute(process.execPath, [compiler, '--project', config, '--pretty', 'false']).then(
    () => '',
    (error: { readonly stdout: string }) => error.stdout,
  )
}

describe.each(Object.entries(compilers))('under %s', (name, compiler) => {
  test('the code of the guides type-checks', async () => {
    const files: string[] = []
    for (const guide of ['real-service.md', 'frameworks.md']) {
      for (const { line, code } of codeBlocks(await read(guide))) {
        const file = `${guide}-${name.replace(/\W/g, '')}-${line}.ts`
        await writeFile(join(folder, file), code)
        files.push(file)
      }
    }
    // All at once: what takes the time are the sources of the family, which they share.
    expect(files.length).toBeGreaterThan(5)
    expect(await errorsOf(compiler, files)).toBe('')
  })

  test('typed routes of the frameworks type-check', async () => {
    const routes = join(import.meta.dirname, 'typed-routes.fixture.ts')
    expect(await errorsOf(compiler, [routes])).toBe('')
  })

  test('a Nest application type-checks', async () => {
    await writeFile(join(folder, 'nest.ts'), (await nestExample()).code)
    expect(await errorsOf(compiler, ['nest.ts'], NEST)).toBe('')
  })
})

/** The one example in another dialect of decorators, marked `tsx` so that nobody takes it for the standard's. */
async function nestExample(): Promise<{ code: string; output: string }> {
  const found = /^```tsx\n(.*?)^```\n\n```text\n(.*?)^```/ms.exec(await read('frameworks.md'))
  return { code: found![1]!, output: found![2]! }
}

test('a Nest application prints what its guide shows', async () => {
  const typescript = require('typescript-5.9') as typeof import('typescript-5.9')
  const { code, output } = await nestExample()
  const { outputText } = typescript.transpileModule(code, {
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
