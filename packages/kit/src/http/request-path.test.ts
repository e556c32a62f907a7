import { describe, expect, test } from 'vitest'
import { requestPath } from './request-path.ts'

describe('the path of a request', () => {
  test.each([
    ['/', '/'],
    ['/a/b', '/a/b'],
    ['/a?key=secret', '/a'],
    ['/a#secret', '/a'],
    ['//evil/a', '//evil/a'],
    ['*', '*'],
    ['', '/'],
    ['?secret', '/'],
    ['http://user:secret@host:8080/a?key=secret', '/a'],
    ['HTTP://user:secret@host', '/'],
    ['http://user:secret@host?secret', '/'],
    ['user:secret@host:443', ''],
    ['mailto:secret', ''],
  ])('of %o is %o', (target, path) => {
    expect(requestPath(target)).toBe(path)
  })
})
