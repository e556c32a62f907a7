import { Ledger } from '../outage/ledger.ts'
import type { PermitNames, WindowGrant, WindowStore } from '../stores/window-store.ts'

/** So many debts are kept however few keys there are. */
const LEAST_DEBTS = 100_000

/** What one process does to one window in Redis. */
export interface WindowDebt {
  readonly key: string
  /** What passed without the store… */
  readonly passed: readonly WindowGrant[]
  /** …or was given for nothing. */
  readonly unused?: PermitNames | undefined
}

/** Keeps what Redis has not been told of windows. */
export function newWindowLedger(options: {
  readonly store: () => WindowStore
  readonly limit: number
  readonly maxKeys: number
}): Ledger<WindowDebt> {
  const { store, limit, maxKeys } = options
  return new Ledger<WindowDebt>({
    tell: (_, { key, passed, unused }) =>
      unused === undefined ? store().enter(key, passed) : store().forget(key, [unused]),
    merge: ({ key, passed }, later) => ({
      key,
      passed: newest(passed.concat(later.passed), limit),
    }),
    amount: ({ passed }) => total(passed),
    // What is to be taken back stands there by its own name.
    maxKeys: Math.max(maxKeys, LEAST_DEBTS),
  })
}

/** Strikes permits out that passed without the store, if it has not been told of them. @returns how many */
export function strike(ledger: Ledger<WindowDebt>, key: string, cost: number): number {
  const debt = ledger.get(key)
  if (debt === undefined || !ledger.delete(key)) return 0
  const left: WindowGrant[] = []
  let struck = 0
  for (const grant of debt.passed) {
    const count = Math.min(grant.cost, cost - struck)
    struck += count
    if (count < grant.cost) left.push({ ...grant, cost: grant.cost - count })
  }
  if (left.length > 0) ledger.add(key, { key, passed: left })
  return struck
}

/** More than the limit the window need not know of: it is full either way. */
function newest(grants: readonly WindowGrant[], limit: number): readonly WindowGrant[] {
  let permits = 0
  let first = grants.length
  while (first > 0 && permits < limit) permits += grants[--first]!.cost
  return first === 0 ? grants : grants.slice(first)
}

function total(grants: readonly WindowGrant[]): number {
  return grants.reduce((sum, { cost }) => sum + cost, 0)
}
