import { parseArgs } from 'node:util'

export interface CommandLine {
  readonly suites: readonly string[]
  /** Whether `--case` names this case; undefined without that option. */
  readonly wanted: ((caseName: string) => boolean) | undefined
  readonly quick: boolean
  readonly json: string | undefined
  readonly save: boolean
  readonly list: boolean
  readonly readme: boolean
  readonly updateBaseline: boolean
  readonly help: boolean
  /** Options that only some suites read. */
  readonly flags: Readonly<Record<string, string>>
}

export const usage: string = `npm run bench -- [suite…] [options]

  --case REGEX        only the cases whose name matches
  --quick             3 short rounds instead of 5; for a look, not for a claim
  --json FILE         write the rows to FILE
  --save              store results/ even after a --quick run (full runs always do)
  --readme            no run: rewrite the bench sections of the READMEs from results/
  --update-baseline   record the ratios of this run in baseline.json
  --traces DIR        more traces for hit-ratio (default: ../shared/traces beside the repository)
  --list              name the suites and their cases`

/** @throws {TypeError} with one line that names the argument */
export function parseCommandLine(argv: readonly string[]): CommandLine {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      case: { type: 'string' },
      quick: { type: 'boolean', default: false },
      json: { type: 'string' },
      save: { type: 'boolean', default: false },
      readme: { type: 'boolean', default: false },
      'update-baseline': { type: 'boolean', default: false },
      traces: { type: 'string' },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  const pattern = values.case === undefined ? undefined : new RegExp(values.case)
  return {
    suites: positionals,
    wanted: pattern && (name => pattern.test(name)),
    quick: values.quick,
    json: values.json,
    save: values.save,
    list: values.list,
    readme: values.readme,
    updateBaseline: values['update-baseline'],
    help: values.help,
    flags: values.traces === undefined ? {} : { traces: values.traces },
  }
}
