import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { codeBlocks, printsAs } from './code-blocks.ts'
import { checkBlocks, runBlock } from './run-block.ts'

let folder: string
beforeAll(async () => {
  const parent = join(import.meta.dirname, '../../.readme')
  await mkdir(parent, { recursive: true })
  folder = await mkdtemp(join(parent, 'test-'))
})
afterAll(() => rm(folder, { recursive: true }))

test('a ts block takes the output block of its own section, and no other', () => {
  const blocks = codeBlocks(
    [
      '# Title',
      '```ts',
      'console.log(1)',
      '```',
      'prints',
      '```console',
      '$ node one.ts',
      '1',
      '```',
      '```ts no-run',
      'declare const x: number',
      '```',
      '```text',
      'not its output',
      '```',
      '## Next',
      '```ts',
      'void 0',
      '```',
      '## Other',
      '```text',
      'elsewhere',
      '```',
    ].join('\n'),
  )
  expect(blocks).toEqual([
    { line: 2, code: 'console.log(1)', output: '1', run: true },
    { line: 10, code: 'declare const x: number', output: undefined, run: false },
    { line: 17, code: 'void 0', output: undefined, run: true },
  ])
})

test('a longer fence may hold a shorter one, and a # in code is no heading', () => {
  const [block] = codeBlocks(
    ['````ts', '// ```', '# not a heading', '````', '```text', 'out', '```'].join('\n'),
  )
  expect(block).toMatchObject({ code: '// ```\n# not a heading', output: 'out' })
})

test('an ellipsis matches within a line only, everything else literally', () => {
  expect(printsAs('took 12.5 ms\nok  \n', 'took … ms\nok')).toBe(true)
  expect(printsAs('took 12\n5 ms', 'took … ms')).toBe(false)
  expect(printsAs('{ a: [1] }', '{ a: [1] }')).toBe(true)
  expect(printsAs('x+y', 'xxy')).toBe(false)
})

test('a block runs with its types stripped and its decorators lowered', async () => {
  const code = [
    "import { VirtualClock } from '@millrace/testkit'",
    'function twice(fn: (n: number) => number, _: unknown) {',
    '  return function (n: number): number { return fn(n) * 2 }',
    '}',
    'class Sums {',
    '  @twice',
    '  next(n: number): number { return n + 1 }',
    '}',
    'console.log(new Sums().next(4), new VirtualClock(3).now(), process.env.REDIS_URL)',
  ].join('\n')
  const result = await runBlock(code, join(folder, 'block.ts'), {
    ...process.env,
    REDIS_URL: 'redis://there',
  })
  expect(result).toEqual({ exit: 0, stdout: '10 3 redis://there\n', stderr: '' })
})

test('an error in a block is its exit code and its message', async () => {
  const result = await runBlock('throw new Error("boom")', join(folder, 'bad.ts'), process.env)
  expect(result.exit).toBe(1)
  expect(result.stderr).toContain('Error: boom')
})

test('the type check reports the block and the line', async () => {
  const result = await checkBlocks(folder, [
    { file: join(folder, 'good.ts'), code: 'const n: number = 1; console.log(n)' },
    { file: join(folder, 'wrong.ts'), code: '\nconst n: number = "one"; console.log(n)' },
  ])
  expect(result.exit).not.toBe(0)
  expect(result.stdout).toContain('wrong.ts(2,7): error TS2322')
  expect(result.stdout).not.toContain('good.ts')
})
