import { expect, test } from 'vitest'
import { printable } from './printable.ts'

test('what a terminal would obey is spelled out', () => {
  expect(printable('a\x1b[31mred\x07\r\n\u202eb\u009b2J')).toBe(
    'a\\u{1b}[31mred\\u{7}\\u{d}\\u{a}\\u{202e}b\\u{9b}2J',
  )
})

test('all else stays as it is', () => {
  const text = '/home/zoë/パッケージ/🙂 [31m \\ "x"'
  expect(printable(text)).toBe(text)
})
