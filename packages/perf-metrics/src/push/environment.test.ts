import { expect, it, onTestFinished, vi } from 'vitest'
import { headersFrom, resourceFromEnvironment, wordFrom } from './environment.ts'

it('reads attributes of the process, percent-encoded, with the name of the service above them', () => {
  const list = ' team=%C3%A4%2Cb , region = eu,,empty=,service.name=from-list,a=b=c'
  const attributes = { team: 'ä,b', region: 'eu', empty: '', a: 'b=c' }
  expect(resourceFromEnvironment({ OTEL_RESOURCE_ATTRIBUTES: list })).toEqual({
    ...attributes,
    'service.name': 'from-list',
  })
  const named = { OTEL_RESOURCE_ATTRIBUTES: list, OTEL_SERVICE_NAME: 'shop' }
  expect(resourceFromEnvironment(named)).toEqual({ ...attributes, 'service.name': 'shop' })
  const prototype = resourceFromEnvironment({ OTEL_RESOURCE_ATTRIBUTES: '__proto__=x' })
  expect(Object.keys(prototype)).toEqual(['__proto__', 'service.name'])
})

it.each(['a', '=b', 'a=1,b', 'a=%ZZ', '%FF=1', ',a'])(
  'leaves out a list with a pair that is none: %s',
  list => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    onTestFinished(() => warn.mockRestore())
    expect(resourceFromEnvironment({ OTEL_RESOURCE_ATTRIBUTES: list })).toEqual({
      'service.name': 'unknown_service:node',
    })
    expect(headersFrom({ HEADERS: list }, 'HEADERS')).toBeUndefined()
  },
)

it('takes no header that HTTP refuses', () => {
  const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
  onTestFinished(() => warn.mockRestore())
  expect(headersFrom({ KEYS: 'api-key=a%20b,x=1' }, 'KEYS')).toEqual({ 'api-key': 'a b', x: '1' })
  expect(headersFrom({ KEYS: 'a b=1' }, 'KEYS')).toBeUndefined()
  expect(headersFrom({ KEYS: 'a=1%0D%0Ax: y' }, 'KEYS')).toBeUndefined()
  expect(headersFrom({ KEYS: ' ' }, 'KEYS')).toBeUndefined()
})

it('takes a word of a list, in either case, from the first variable that is set', () => {
  const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
  onTestFinished(() => warn.mockRestore())
  const words = { gzip: 1, none: 2 }
  const read = (env: Record<string, string>) => wordFrom(env, ['OWN', 'OF_ALL'], words)
  expect(read({})).toBeUndefined()
  expect(read({ OF_ALL: 'none' })).toBe(2)
  expect(read({ OWN: ' GZIP ', OF_ALL: 'none' })).toBe(1)
  expect(read({ OWN: '', OF_ALL: 'none' })).toBe(2)
  const told = () => warn.mock.calls.filter(([text]) => String(text).includes(' OWN '))
  expect(told()).toEqual([])
  for (const word of ['zstd', 'constructor', '__proto__']) {
    expect(read({ OWN: word, OF_ALL: 'none' })).toBeUndefined()
  }
  expect(told()).toEqual([
    [
      'Expected OWN to be gzip or none; using the default',
      { code: 'MILLRACE_METRICS_ENVIRONMENT' },
    ],
  ])
})
