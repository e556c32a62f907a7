import { expect, test } from 'vitest'
import { toDocument } from './package-document.ts'

test('a document is reduced to what the demo shows', () => {
  const versions = {
    '1.0.0': {},
    '1.1.0': { description: 'All', license: 'MIT', dependencies: { b: '^1' } },
  }
  expect(toDocument('a', { versions, 'dist-tags': { latest: '1.1.0' } })).toEqual({
    name: 'a',
    latest: '1.1.0',
    versions: ['1.0.0', '1.1.0'],
    description: 'All',
    license: 'MIT',
    dependencies: ['b'],
  })
})

test('what is missing or of another type comes out empty', () => {
  const manifest = { description: { a: 1 }, license: ['MIT'], dependencies: 'b' }
  expect(toDocument('a', { versions: { '1.0.0': manifest }, 'dist-tags': 'x' })).toEqual({
    name: 'a',
    latest: '1.0.0',
    versions: ['1.0.0'],
    description: '',
    license: '',
    dependencies: [],
  })
})

test.each([null, 7, 'x', [], [{ versions: {} }], {}, { versions: 'x' }, { versions: ['1.0.0'] }])(
  '%j is no document of a package',
  json => {
    expect(toDocument('a', json)).toBeUndefined()
  },
)
