import type { Store } from '../store.ts'

/** A store under test. */
export interface StoreFixture {
  readonly store: Store<unknown>
  /** Lets time pass for the store. */
  advance(ms: number): Promise<void> | void
  /** Another instance on the same data, as another process would open it; absent where data are not shared. */
  peer?: (() => Promise<Store<unknown>>) | undefined
  /** Another instance on the same kind of data with room for about this many bytes; absent where the store has no limit. */
  limited?: ((maxBytes: number) => Promise<Store<unknown>>) | undefined
  /** Removes what the fixture made. */
  remove(): Promise<void>
}

/** The two functions of a test runner that the suite needs: those of node:test, Vitest, Jest, or Mocha (`it` for `test`). */
export interface TestRunner {
  describe(name: string, body: () => void): unknown
  test(name: string, body: () => Promise<void>): unknown
}

/** Registers tests, each with a fixture of its own that is removed after it. */
export class StoreSuite {
  readonly #runner: TestRunner
  readonly #open: () => Promise<StoreFixture>

  constructor(runner: TestRunner, open: () => Promise<StoreFixture>) {
    this.#runner = runner
    this.#open = open
  }

  group(name: string, body: () => void): void {
    this.#runner.describe(name, body)
  }

  test(name: string, body: (store: Store<unknown>, fixture: StoreFixture) => Promise<void>): void {
    this.#runner.test(name, async () => {
      const fixture = await this.#open()
      try {
        await body(fixture.store, fixture)
      } finally {
        await fixture.remove()
      }
    })
  }
}

/** The value under a key. */
export async function valueAt(store: Store<unknown>, key: string): Promise<unknown> {
  return (await store.get(key))?.value
}

/** All keys, sorted. */
export async function sortedKeys(store: Store<unknown>, prefix?: string): Promise<string[]> {
  const found: string[] = []
  for await (const key of store.keys({ prefix })) found.push(key)
  return found.sort()
}
