import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

export interface DemoOptions {
  /** The source tree to analyse, absolute. */
  readonly directory: string
  /** Where the caches live, absolute. */
  readonly cacheDirectory: string
  /** Base URL of a package registry; undefined = the embedded one. */
  readonly registry: URL | undefined
  /** Redis for the caches instead of SQLite. */
  readonly redis: URL | undefined
  /** Print the report and exit instead of serving it. */
  readonly once: boolean
  /** Analyse a copy of the tree again and again with edits in between, print what was recomputed, and exit. */
  readonly rounds: boolean
  /** Print the report as JSON. */
  readonly json: boolean
  /** Start three processes on one Redis server and show that what one invalidates is gone in the others. */
  readonly fleet: boolean
  /** Base URL of an OpenTelemetry collector for traces and metrics. */
  readonly otlp: URL | undefined
  /** Whether metrics and traces are taken. */
  readonly telemetry: boolean
  /** Look-ups per second of the demo's own; undefined = a few while the page is looked at. */
  readonly load: number | undefined
  readonly port: number
}

export const help = `npm run demo [-- DIR] [options]

Analyses the JavaScript and TypeScript sources under DIR (default: this workspace's installed
dependencies), fetches metadata of every package it meets, and reports how long everything took
and why. Everything is cached, so a second run is mostly verification.

  --once            print the report and exit, instead of serving it
  --json            print the report as JSON
  --rounds          analyse a copy of DIR with edits in between, print what was recomputed and cut off, and exit
  --port NUMBER     port of the live page on 127.0.0.1 (default 4600)
  --registry URL    a package registry (default: an embedded one that answers from the installed packages)
  --redis URL       keep the caches in Redis, shared with other processes (default: SQLite under .millrace/)
  --fleet           start three processes on one redis-server of their own, and show an invalidation reach all
  --otlp URL        send traces and metrics to an OpenTelemetry collector, such as http://localhost:4318
  --load NUMBER     look-ups a second of the demo's own, 0 to 400, also while nobody looks (default: 20 while the page is open)
  --no-telemetry    take no metrics and no traces, to see what they cost (scripts/measure-demo.ts does)
  --help            this text`

/** A command line that cannot be understood; its message is the one line to print. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
  readonly code = 'ERR_MILLRACE_USAGE'
}

const workspace = fileURLToPath(new URL('../../../', import.meta.url))

/**
 * Reads the command line. Paths are relative to where the user stands: npm runs scripts in the workspace root and leaves the
 * user's folder in INIT_CWD.
 *
 * @returns the options, or `help` when that was asked for
 * @throws {UsageError}
 */
export function parseOptions(
  argv: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): DemoOptions | 'help' {
  const { values, positionals } = readArguments(argv)
  if (values.help) return 'help'
  if (positionals.length > 1) {
    throw new UsageError(`Expected one DIR, got ${positionals.length}: ${positionals.join(' ')}`)
  }
  for (const [name, others] of alone) {
    const other = values[name] ? others.find(each => values[each]) : undefined
    if (other !== undefined) throw new UsageError(`--${name} and --${other} do not go together`)
  }
  const here = env.INIT_CWD ?? process.cwd()
  const directory = positionals[0]
  return {
    directory:
      directory === undefined ? resolve(workspace, 'node_modules') : resolve(here, directory),
    cacheDirectory: resolve(here, '.millrace'),
    registry: plain('--registry', url('--registry', values.registry, ['http:', 'https:'])),
    redis: url('--redis', values.redis, ['redis:', 'rediss:']),
    otlp: plain('--otlp', url('--otlp', values.otlp, ['http:', 'https:'])),
    fleet: values.fleet,
    once: values.once,
    rounds: values.rounds,
    json: values.json,
    telemetry: !values['no-telemetry'],
    load: values.load === undefined ? undefined : integer('--load', values.load, MOST_LOAD),
    port: integer('--port', values.port, 65_535),
  }
}

/** What says where a run's caches, packages or traces are, or what runs, means nothing to these. */
const alone = [
  ['rounds', ['fleet', 'registry', 'redis', 'otlp']],
  ['fleet', ['json', 'load']],
  ['no-telemetry', ['otlp', 'rounds', 'fleet']],
] as const

/** What the traffic's own limit lets through. */
const MOST_LOAD = 400

/** Options that take a value, and what that is. */
const VALUES: ReadonlyMap<string, string> = new Map([
  ['--port', 'NUMBER'],
  ['--load', 'NUMBER'],
  ['--registry', 'URL'],
  ['--redis', 'URL'],
  ['--otlp', 'URL'],
])

function readArguments(argv: readonly string[]) {
  try {
    return parseArgs({
      args: withValues(argv),
      allowPositionals: true,
      options: {
        once: { type: 'boolean', default: false },
        rounds: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        port: { type: 'string', default: '4600' },
        registry: { type: 'string' },
        redis: { type: 'string' },
        otlp: { type: 'string' },
        fleet: { type: 'boolean', default: false },
        load: { type: 'string' },
        'no-telemetry': { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
  } catch (error) {
    if (error instanceof UsageError) throw error
    // Node goes on about arguments that begin with a dash, in further sentences and lines.
    const [message] = (error as Error).message.split(/\n|\. /, 1)
    throw new UsageError(`${message!.replace(/\.$/, '')} (--help tells all options)`, {
      cause: error,
    })
  }
}

/** Joins values to their options: of one that begins with a dash Node says that it is ambiguous, neither what came nor what is expected. */
function withValues(argv: readonly string[]): string[] {
  const end = argv.includes('--') ? argv.indexOf('--') : argv.length
  const joined: string[] = []
  for (let i = 0; i < end; i++) {
    const argument = argv[i]!
    const kind = VALUES.get(argument)
    if (kind === undefined) {
      joined.push(argument)
      continue
    }
    const value = argv[++i]
    if (value === undefined || value.startsWith('--')) {
      const came = value === undefined ? 'nothing' : JSON.stringify(value)
      throw new UsageError(`Expected ${kind} after ${argument}, got ${came}`)
    }
    joined.push(`${argument}=${value}`)
  }
  return [...joined, ...argv.slice(end)]
}

function url(
  option: string,
  text: string | undefined,
  protocols: readonly string[],
): URL | undefined {
  if (text === undefined) return undefined
  const parsed = URL.parse(text)
  if (parsed === null || !protocols.includes(parsed.protocol)) {
    const expected = protocols.map(protocol => `${protocol}//…`).join(' or ')
    // Credentials of an address that is none are credentials.
    const shown = JSON.stringify(text.replace(/\/\/.*@/, '//…@'))
    throw new UsageError(`Expected ${option} to be ${expected}, got ${shown}`)
  }
  return parsed
}

/** Where nothing of a user's is sent: credentials would stand in messages and metrics, and a query in each address. */
function plain(option: string, address: URL | undefined): URL | undefined {
  if (address === undefined) return undefined
  const { username, password, search, hash } = address
  if (username + password + search + hash === '') return address
  throw new UsageError(`Expected ${option} to be an address without user, query and fragment`)
}

function integer(option: string, text: string, most: number): number {
  const value = Number(text)
  if (!/^\d+$/.test(text) || value > most) {
    throw new UsageError(`Expected ${option} to be 0 to ${most}, got ${JSON.stringify(text)}`)
  }
  return value
}
