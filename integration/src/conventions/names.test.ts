import { expect, test } from 'vitest'
import { apiReport, published } from './published.fixture.ts'

/** What is declared in a listing: each name with its kind, so that a constant and the type of its values may share one. */
const DECLARATION =
  /^export (?:declare )?(?:abstract )?(class|interface|type|const|function|enum) (\w+)\b.*?(?=\n\n|\n```)/gms

/** A class that is listed by more names than one, of which this is another. */
const RENAMED = /^export \{ (\w+) as (\w+) \}$/gm

/** Earlier names that stay beside those of one meaning, as programs know them. */
const EARLIER = new Set(['OtlpExporter'])

/** By name: its declarations, by the packages that export them. Overloads of one package are one declaration. */
const declarations = new Map<string, Map<string, string>>()
for (const each of published) {
  const own = new Map<string, string>()
  for (const [text, kind, name] of apiReport(each).matchAll(DECLARATION)) {
    const signature = text.replaceAll(/^ *\/\/.*\n/gm, '').replaceAll(/\s+/g, ' ')
    const known = own.get(name!) ?? ''
    if (!known.includes(signature)) own.set(name!, `${known}${kind}: ${signature}\n`)
  }
  for (const [, actual, name] of apiReport(each).matchAll(RENAMED)) {
    if (!EARLIER.has(name!)) own.set(name!, `class: ${actual}\n`)
  }
  for (const [name, text] of own) {
    const byPackage = declarations.get(name) ?? new Map<string, string>()
    declarations.set(name, byPackage.set(each.name, text))
  }
}

test('a name that several packages export is one declaration in all of them', () => {
  expect(declarations.size).toBeGreaterThan(500)
  expect(declarations.get('Clock')?.size).toBeGreaterThan(3)
  const ambiguous = [...declarations]
    .filter(([, byPackage]) => new Set(byPackage.values()).size > 1)
    .map(([name, byPackage]) => [name, ...byPackage.keys()])
  expect(ambiguous).toEqual([])
})

test('a name that several entries of a package export is one declaration in all of them', () => {
  const ambiguous = [...declarations].flatMap(([name, byPackage]) =>
    [...byPackage]
      .filter(([, text]) => {
        const kinds = text
          .trimEnd()
          .split('\n')
          .map(line => line.slice(0, line.indexOf(':')))
        // Functions have overloads, and a constant may be named as the type of its values.
        return new Set(kinds).size < kinds.length && !kinds.includes('function')
      })
      .map(([owner]) => `${owner} ${name}`),
  )
  expect(ambiguous).toEqual([])
})
