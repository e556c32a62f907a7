import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { internalNames } from '../internal-names.ts'

const surface = readFileSync(join(import.meta.dirname, '../api.md'), 'utf8')

test('no name that the build shortens is public', () => {
  const code = surface.replaceAll(/^\s*\/\/.*$/gm, '')
  const publicNames = new Set(code.match(/\w+/g))
  expect(publicNames).toContain('getOrLoadMany')
  expect(internalNames.filter(name => publicNames.has(name))).toEqual([])
})

test('none is a property of what JavaScript provides', () => {
  const provided = new Set<PropertyKey>()
  for (const name of Object.getOwnPropertyNames(globalThis)) {
    provided.add(name)
    const value: unknown = Reflect.get(globalThis, name)
    if (Object(value) !== value) continue
    const prototype: unknown = typeof value === 'function' ? value.prototype : undefined
    for (const owner of [value as object, prototype]) {
      if (Object(owner) !== owner) continue
      for (const key of Reflect.ownKeys(owner as object)) provided.add(key)
    }
  }
  expect(provided).toContain('withResolvers')
  expect(internalNames.filter(name => provided.has(name))).toEqual([])
})
