import { expect, test } from 'vitest'
import { parseOptions, UsageError } from './options.ts'

const env = { INIT_CWD: '/home/user/project' }

test('paths are relative to where the user stands', () => {
  expect(parseOptions(['src', '--once'], env)).toMatchObject({
    directory: '/home/user/project/src',
    cacheDirectory: '/home/user/project/.millrace',
    once: true,
    rounds: false,
    json: false,
    port: 4600,
    registry: undefined,
    redis: undefined,
    telemetry: true,
    load: undefined,
  })
  expect(parseOptions(['--no-telemetry', '--load', '0'], env)).toMatchObject({
    telemetry: false,
    load: 0,
  })
})

test('the default tree are the installed dependencies of the workspace', () => {
  expect(parseOptions([], env)).toMatchObject({
    directory: expect.stringMatching(/\/node_modules$/),
  })
})

test.each([
  [['a', 'b'], 'Expected one DIR, got 2: a b'],
  [['--nope'], "Unknown option '--nope' (--help tells all options)"],
  [['--port'], 'Expected NUMBER after --port, got nothing'],
  [['--port', '--once'], 'Expected NUMBER after --port, got "--once"'],
  [['--port', '-1'], 'Expected --port to be 0 to 65535, got "-1"'],
  [['--load', '-5', '--once'], 'Expected --load to be 0 to 400, got "-5"'],
  [['--registry', '-h'], 'Expected --registry to be http://… or https://…, got "-h"'],
  [['--once=yes'], "Option '--once' does not take an argument (--help tells all options)"],
  [['--port='], 'Expected --port to be 0 to 65535, got ""'],
  [['--port', '0x10'], 'Expected --port to be 0 to 65535, got "0x10"'],
  [['--rounds', '--fleet'], '--rounds and --fleet do not go together'],
  [['--rounds', '--redis', 'redis://h'], '--rounds and --redis do not go together'],
  [['--fleet', '--json'], '--fleet and --json do not go together'],
  [
    ['--registry', 'http://user:secret@h'],
    'Expected --registry to be an address without user, query and fragment',
  ],
  [
    ['--otlp', 'http://h/?a=b'],
    'Expected --otlp to be an address without user, query and fragment',
  ],
  [['--port', 'http'], 'Expected --port to be 0 to 65535, got "http"'],
  [['--load', '401'], 'Expected --load to be 0 to 400, got "401"'],
  [['--load', '1e2'], 'Expected --load to be 0 to 400, got "1e2"'],
  [['--no-telemetry', '--otlp', 'http://h'], '--no-telemetry and --otlp do not go together'],
  [['--fleet', '--load', '1'], '--fleet and --load do not go together'],
  [['--port', '65536'], 'Expected --port to be 0 to 65535, got "65536"'],
  [
    ['--registry', 'example.org'],
    'Expected --registry to be http://… or https://…, got "example.org"',
  ],
  [['--redis', 'http://h'], 'Expected --redis to be redis://… or rediss://…, got "http://h"'],
  [
    ['--redis', 'http://user:secret@h'],
    'Expected --redis to be redis://… or rediss://…, got "http://…@h"',
  ],
])('%j is refused in one line', (argv, message) => {
  const parse = () => parseOptions(argv, env)
  expect(parse).toThrow(UsageError)
  expect(parse).toThrow(new UsageError(message))
})

test('what stands after two dashes is no option', () => {
  const parsed = parseOptions(['--once', '--', '--port'], env)
  expect(parsed).toMatchObject({ once: true, port: 4600, directory: '/home/user/project/--port' })
})

test('help is asked for by either flag', () => {
  expect(parseOptions(['-h'], env)).toBe('help')
  expect(parseOptions(['--help', 'dir'], env)).toBe('help')
})
