import { describe, expect, test } from 'vitest'
import { apiReport, published } from './published.fixture.ts'

/** The optional properties of all interfaces named …Options, as they are declared. */
function optionalProperties(report: string): string[] {
  const found: string[] = []
  for (const [, name, body] of report.matchAll(
    /^export interface (\w+Options)\b[^{]*\{\n(.*?)^\}/gms,
  )) {
    for (const line of body!.split('\n')) {
      if (/^ {4}(readonly )?\w+\?: /.test(line)) found.push(`${name}: ${line.trim()}`)
    }
  }
  return found
}

describe.each(published.map(each => [each.name, each] as const))('options of %s', (_, each) => {
  const properties = optionalProperties(apiReport(each))

  test('are read-only', () => {
    expect(properties.filter(property => !property.includes(': readonly '))).toEqual([])
  })

  test('may be given as undefined, also under exactOptionalPropertyTypes', () => {
    const strict = properties.filter(
      property => !/\| undefined;$|: undefined \||\?: unknown;|\{$/.test(property),
    )
    expect(strict).toEqual([])
  })

  test('are both where they are written out in a signature', () => {
    const lines = apiReport(each).match(/^ {8,}(readonly )?\w+\?: .*[^{]$/gm) ?? []
    const wrong = lines.filter(
      line => !/^ +readonly .*(\| undefined;|: undefined \||: unknown;)/.test(line),
    )
    expect(wrong).toEqual([])
  })
})
