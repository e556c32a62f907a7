import { expect, test } from 'vitest'
import { parseDictionary, parseList, serializeString } from './structured-fields.ts'

const values = (text: string) => parseList(text)?.map(({ value }) => value)
const texts = (text: string) => {
  const members = parseDictionary(text)
  return members && Object.fromEntries(Array.from(members, ([name, item]) => [name, item.text]))
}

test.each([
  ['', []],
  [' "a" ,\t"b \\"c\\\\" ', ['a', 'b "c\\']],
  ['token/x:1, -5, 1.25, ?1, ?0', ['token/x:1', -5, 1.25, true, false]],
  [':aGk=:, @1659578233, %"f%c3%bc"', ['aGk=', 1_659_578_233, 'f%c3%bc']],
  ['"a";q=1; w=2', ['a']],
])('a list: %j', (text, expected) => {
  expect(values(text)).toEqual(expected)
})

test.each([',', 'a,', 'a b', '"a', '"\u00e9"', '1234567890123456', '1.2345', 'a;', 'a;Q=1', '(a)'])(
  'no list: %j',
  text => {
    expect(parseList(text)).toBeUndefined()
  },
)

test('parameters, of which one without a value is true', () => {
  const [item] = parseList('"a";r=5;name="x";flag')!
  expect(Object.fromEntries(item!.parameters)).toEqual({ r: 5, name: 'x', flag: true })
})

test.each([
  ['', {}],
  [
    'max-age=600, no-store, private="x-a"',
    { 'max-age': '600', 'no-store': '?1', private: '"x-a"' },
  ],
  ['a=1;x=2 ,b;y, a=@3', { a: '@3', b: '?1' }],
])('a dictionary: %j', (text, expected) => {
  expect(texts(text)).toEqual(expected)
})

test.each(['a=', '=1', 'A=1', 'a,', 'a=1 b=2', 'a;=1'])('no dictionary: %j', text => {
  expect(parseDictionary(text)).toBeUndefined()
})

test('what is written as a string is read as it was', () => {
  for (const text of ['', 'plain', 'a "quoted" \\ text']) {
    expect(values(serializeString(text))).toEqual([text])
  }
})
