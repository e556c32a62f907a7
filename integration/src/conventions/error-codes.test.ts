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

/** Whether a listing has the class, or, where an entry hands on another's, its name. */
function isExported(report: string, name: string): boolean {
  return new RegExp(
    `^export (?:abstract )?class ${name}\\b|^export \\{[^}]*\\b${name}\\b`,
    'm',
  ).test(report)
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

  test.each(published)(
    'belong to classes that can be imported, and stand in the README ($name)',
    each => {
      const report = apiReport(each)
      const readme = readFileSync(join(each.folder, 'README.md'), 'utf8')
      const own = [...classes].flatMap(([code, owners]) =>
        [...owners].flatMap(owner => {
          const [name, of] = owner.split(' of ')
          return of === each.name ? [{ code, name }] : []
        }),
      )
      expect(own).not.toEqual([])
      const hidden = own.filter(({ name }) => !isExported(report, name!))
      expect(hidden).toEqual([])
      expect(own.filter(({ code }) => !readme.includes(`\`${code}\``))).toEqual([])
    },
  )

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
