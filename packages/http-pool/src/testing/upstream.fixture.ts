import { UpstreamServer } from '@millrace/testkit'
import { afterEach, beforeEach } from 'vitest'
import { HttpPool, type HttpPoolOptions } from '../index.ts'

/** The upstream of the test that runs. */
export let server: UpstreamServer

/**
 * Gives every test of a file an upstream of its own. What is returned makes pools for it with `defaults`; they
 * and the upstream end with the test.
 */
export function useUpstream(
  defaults: HttpPoolOptions = {},
): (options?: HttpPoolOptions) => HttpPool {
  const pools: HttpPool[] = []

  beforeEach(async () => {
    server = await UpstreamServer.start()
  })

  afterEach(async () => {
    await Promise.all(pools.splice(0).map(pool => pool.destroy()))
    await server[Symbol.asyncDispose]()
  })

  return options => {
    const pool = new HttpPool({ ...defaults, ...options })
    pools.push(pool)
    return pool
  }
}
