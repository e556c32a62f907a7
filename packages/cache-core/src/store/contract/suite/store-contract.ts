import {
  checkFunction,
  checkInteger,
  checkMethods,
  type OptionRules,
  required,
  resolveOptions,
  withDefault,
} from '@millrace/kit'
import { argumentTests } from './arguments.ts'
import { fenceTests } from './fences.ts'
import { housekeepingTests } from './housekeeping.ts'
import { invalidationTests } from './invalidation.ts'
import { lifetimeTests } from './lifetimes.ts'
import { modelTests } from './model.ts'
import { type StoreFixture, StoreSuite, type TestRunner } from './store-suite.ts'
import { valueTests } from './values.ts'

/** What a store's contract is tested with. */
export interface StoreContractOptions {
  /** The functions of the test runner: `import { describe, test } from 'node:test'`, or Vitest's, Jest's, Mocha's. */
  readonly runner: TestRunner
  /** Makes an empty store that packs values as JSON, whose values never expire unless they are given a `ttl`. Called before each test. */
  readonly open: () => Promise<StoreFixture>
  /** Random command sequences in the model test, an integer >= 1. Default: 100. */
  readonly modelRuns?: number | undefined
}

const OPTIONS: OptionRules<StoreContractOptions> = {
  runner: required(checkMethods<TestRunner>, 'the functions of a test runner', [
    'describe',
    'test',
  ]),
  open: required(checkFunction<StoreContractOptions['open']>),
  modelRuns: withDefault(100, checkInteger, 1),
}

/**
 * Registers the test suite of `Store`, for every implementation. It needs nothing but the runner that it is given.
 *
 * @param name of the implementation, for the report
 * @throws {InvalidOptionError} if an option is outside its bounds or unknown
 */
export function storeContract(name: string, options: StoreContractOptions): void {
  const { runner, open, modelRuns } = resolveOptions('', options, OPTIONS)
  const suite = new StoreSuite(runner, open)
  suite.group(`${name} keeps the store contract`, () => {
    suite.group('arguments', () => argumentTests(suite))
    suite.group('values', () => valueTests(suite))
    suite.group('time', () => lifetimeTests(suite))
    suite.group('invalidation', () => invalidationTests(suite))
    suite.group('the fence', () => fenceTests(suite))
    suite.group('housekeeping', () => housekeepingTests(suite))
    suite.group('the model', () => modelTests(suite, modelRuns))
  })
}
