import { expect, test } from 'vitest'
import { deriveFacts } from './derive-facts.ts'

test('imports and exports of a module, each specifier once', async () => {
  const facts = await deriveFacts(
    'a.ts',
    `import type { A } from './a.ts'
import b, { c } from 'b'
export * from 'b/deep'
export { d as e } from './d.ts'
export const f = 1, g = 2
export default function h() { return import('lazy') }
const name = 'x'
await import(\`\${name}.js\`)
`,
  )
  expect(facts).toEqual({
    bytes: 236,
    lines: 9,
    kind: 'esm',
    imports: ['./a.ts', 'b', 'b/deep', './d.ts', 'lazy'],
    exports: ['*', 'e', 'f', 'g', 'default'],
    syntaxError: undefined,
  })
})

test('require calls and exports of CommonJS, not those in comments and strings', async () => {
  const { kind, imports, exports, syntaxError } = await deriveFacts(
    'a.js',
    `// require('comment')
const text = "require('string')"
const fs = require('node:fs'), local = require(text)
exports.read = () => require('./late')
module.exports = Object.assign(module.exports, { fs })
return
`,
  )
  expect({ kind, imports, exports, syntaxError }).toEqual({
    kind: 'commonjs',
    imports: ['node:fs', './late'],
    exports: ['read', 'default'],
    syntaxError: undefined,
  })
})

test('a file without either is a script', async () => {
  const { kind, imports } = await deriveFacts('a.js', 'const required = 1; exported(required)')
  expect([kind, imports]).toEqual(['script', []])
})

test('a syntax error names its line and column, and what was recovered is kept', async () => {
  const facts = await deriveFacts('a.ts', "import 'a'\nlet x = ;\n")
  expect(facts.syntaxError).toMatch(/^2:9: /)
  expect(facts.lines).toBe(3)
})

test('sizes are bytes, not characters', async () => {
  expect((await deriveFacts('a.js', "'ä€😀'")).bytes).toBe(11)
})

test.each([
  ['arrays', '[', ']'],
  ['calls', 'a(', ')'],
  ['objects', '{a:', '}'],
  ['unclosed brackets', '(', ''],
])('%s nested so deeply that they overflow a stack are not parsed', async (_, open, close) => {
  const deep = (levels: number) =>
    `require('b')\nx = ${open.repeat(levels)}1${close.repeat(levels)}`
  expect((await deriveFacts('a.js', deep(500))).imports).toEqual(close === '' ? [] : ['b'])
  expect(await deriveFacts('a.js', deep(100_000))).toMatchObject({
    lines: 2,
    imports: [],
    syntaxError: '1:1: Nested more than 1000 brackets deep',
  })
})

test('operators in a row that come to a tree deeper than the stack cost the facts of the file', async () => {
  const facts = await deriveFacts('a.js', `require('b')\nx = ${'a + '.repeat(20_000)}1`)
  expect(facts.syntaxError).toBe('1:1: Nested too deeply')
})
