import fc from 'fast-check'
import { expect, test } from 'vitest'

interface Mark {
  readonly x: number
  readonly text: string
}
interface Label {
  readonly mark: Mark
  readonly text: string
  readonly left: number
  readonly row: number
}
type Area = { readonly left: number; readonly right: number; readonly rows: number }

/** The page's own file, which a browser loads as it is. */
const { placeLabels } = (await import(new URL('./page/mark-labels.js', import.meta.url).href)) as {
  placeLabels(marks: readonly Mark[], area: Area, widthOf: (text: string) => number): Label[]
}

const widthOf = (text: string): number => 6 * text.length
const area: Area = { left: 100, right: 400, rows: 3 }
const place = (marks: readonly Mark[]): Label[] => placeLabels(marks, area, widthOf)

test('words stand beside their line, and before it at the right edge', () => {
  const marks = [
    { x: 120, text: 'deployed' },
    { x: 390, text: 'reverted' },
  ]
  const [early, late] = marks.map(mark => place(marks).find(label => label.mark === mark))
  expect(early).toMatchObject({ text: 'deployed', row: 0 })
  expect(early!.left).toBeGreaterThan(120)
  expect(late).toMatchObject({ text: 'reverted', row: 0 })
  expect(late!.left + widthOf('reverted')).toBeLessThan(390)
})

test('words that would overlap stand below each other, and what finds no room is counted', () => {
  const texts = ['first', 'second', 'third', 'fourth', 'fifth']
  const labels = place(texts.map(text => ({ x: 100, text })))
  expect(labels.map(({ text, row }) => [text, row])).toEqual([
    ['fifth', 0],
    ['fourth', 1],
    ['third +2', 2],
  ])
})

test('words of an earlier line stand before it where those of a later one are in the way', () => {
  const labels = place([
    { x: 200, text: 'deployed' },
    { x: 205, text: 'reverted' },
  ])
  expect(labels.map(({ row }) => row)).toEqual([0, 0])
  const [late, early] = labels
  expect(early!.left + widthOf('deployed')).toBeLessThanOrEqual(200)
  expect(late!.left).toBeGreaterThan(205)
})

test('long words are cut to two thirds of the chart', () => {
  const [label] = place([{ x: 110, text: '1,000 edits: 2,000 results computed, 1,000 cut off' }])
  expect(label!.text).toMatch(/^1,000 edits: 2.*…$/)
  expect(widthOf(label!.text)).toBeLessThanOrEqual(200)
})

test('no words overlap or leave the chart, and each mark is told or counted', () => {
  const mark = fc.record({
    x: fc.integer({ min: area.left, max: area.right }),
    text: fc.string({ minLength: 1, maxLength: 80 }).filter(text => !text.includes('+')),
  })
  fc.assert(
    fc.property(fc.array(mark, { maxLength: 100 }), found => {
      const marks = found.toSorted((a, b) => a.x - b.x)
      const labels = place(marks)
      let told = labels.length
      for (const label of labels) {
        const { text, left, row } = label
        const right = left + widthOf(text)
        expect(left).toBeGreaterThanOrEqual(area.left)
        expect(right).toBeLessThanOrEqual(area.right)
        for (const other of labels) {
          if (other === label) continue
          const apart = other.left >= right || other.left + widthOf(other.text) <= left
          expect(other.row !== row || apart).toBe(true)
        }
        told += Number(/ \+(\d+)$/.exec(text)?.[1] ?? 0)
      }
      expect(told).toBe(marks.length)
      if (marks.length > 0) expect(labels.map(({ mark }) => mark)).toContain(marks.at(-1))
    }),
  )
})
