import { expect, test } from 'vitest'
import { isPackageName, packageUrl } from './package-url.ts'

test.each(['http://registry.test', 'http://registry.test/', 'http://registry.test/npm'])(
  'below %s stand packages, whether or not the address ends with a slash',
  address => {
    const base = new URL(address)
    const folder = base.href.endsWith('/') ? base.href : `${base.href}/`
    for (const [name, path] of [
      ['lodash', 'lodash'],
      ['@scope/name', '@scope%2Fname'],
      ['JSONStream', 'JSONStream'],
      ['a.b_c~d-e', 'a.b_c~d-e'],
    ] as const) {
      expect(isPackageName(name)).toBe(true)
      expect(packageUrl(base, name).href).toBe(folder + path)
    }
  },
)

test.each([
  '',
  '.',
  '..',
  '../secrets',
  '%2e%2e',
  'a?b',
  'a#b',
  'a/b',
  '@a/b/c',
  '@a/..',
  '@../b',
  '//127.0.0.1/x',
  '\\\\127.0.0.1\\x',
  'http:127.0.0.1',
  'a b',
  'a\nb',
  '\u202eb',
  '\ud800',
  '<b>',
  '(no package)',
  'x'.repeat(215),
])('%j is the name of no package', name => {
  expect(isPackageName(name)).toBe(false)
})
