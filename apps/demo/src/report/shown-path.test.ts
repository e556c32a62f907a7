import { basename, join } from 'node:path'
import { expect, test } from 'vitest'
import { shownPath } from './shown-path.ts'

test.each([
  ['below where the run was started', join(process.cwd(), 'a', 'b'), join('a', 'b')],
  ['where it was started', process.cwd(), basename(process.cwd())],
  ['elsewhere', join(process.cwd(), '..', 'beside'), join(process.cwd(), '..', 'beside')],
  ['with control characters', join(process.cwd(), 'a\u001b[2Jb'), 'a\\u{1b}[2Jb'],
])('%s', (_, path, shown) => {
  expect(shownPath(path)).toBe(shown)
})
