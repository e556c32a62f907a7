import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { apiReport, published, sources } from './published.fixture.ts'

/** The class that each code of the family belongs to, by the sources. */
function classesByCode(): Map<string, Set<string>> {
  const classes = new Map<string, Set<string>>()
  for (const each of published) {
    for (const text of sources(each).values()) {
      for (const [, name, body] of text.matchAll(
        /^export (?:abstract )?class (\w+)[^{]*\{(.*?)^\}/gms,
      )) {
        const code = /\bcode\b[^=\n]*= '(ERR_MILLRACE_\w+)'/.exec(body!)?.[1]
        if (code === undefined) continue
        const of = classes.get(code) ?? new Set()
        classes.set(code, of.add(`${name} of ${each.name}`))
      }
    }
  }
  return classes
}

describe('error codes', () => {
  const classes = classesByCode()

  test('are found', () => {
    expect(classes.size).toBeGreaterThan(30)
  })

  test('belong to one class of the whole family', () => {
    const shared = [...classes].filter(([, names]) => names.size > 1)
    expect(shared.map(([code, names]) => [code, ...names])).toEqual([])
  })

  test.each(published)('of public classes stand in the README ($name)', each => {
    const exported = new Set(
      [...apiReport(each).matchAll(/^export (?:abstract )?class (\w+)/gm)].map(([, name]) => name),
    )
    const readme = readFileSync(join(each.folder, 'README.md'), 'utf8')
    const missing = [...classes].filter(
      ([code, owners]) =>
        [...owners].some(owner => {
          const [name, of] = owner.split(' of ')
          return of === each.name && exported.has(name)
        }) && !readme.includes(`\`${code}\``),
    )
    expect(missing.map(([code]) => code)).toEqual([])
  })

  test('of no class are used as the value of another, whose code depends on what happened', () => {
    for (const each of published) {
      for (const [file, text] of sources(each)) {
        for (const [, code] of text.matchAll(/^ {2}\w+: '(ERR_MILLRACE_\w+)'/gm)) {
          expect([file, code, classes.has(code!)]).toEqual([file, code, false])
        }
      }
    }
  })
})
