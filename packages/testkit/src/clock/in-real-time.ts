import { afterAll, beforeEach, type TestOptions } from 'vitest'
import { Standstill } from './standstill.ts'

/** From a second on a call to a server is given up, or the server's clock is taken to have been moved. */
const PATIENCE = 900

/**
 * Options of a suite against servers that live in real time: a failure counts only if the machine did not stand still for about a second
 * meanwhile; else the test is made anew, up to twice. To be called outside of tests.
 */
export function inRealTime(): TestOptions {
  const standstill = new Standstill()
  beforeEach(() => standstill.restart())
  afterAll(() => standstill.close())
  // A function, which it takes as well, Vitest 5.1 loses where it tells of the test.
  const condition = Object.assign(/^/, { test: () => standstill.longest > PATIENCE })
  return { retry: { count: 2, condition } }
}
