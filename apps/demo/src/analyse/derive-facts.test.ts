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
