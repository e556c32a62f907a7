import { Redis } from 'ioredis'
import { afterEach } from 'vitest'

/** Connections for tests that break them on purpose, closed after each test: `connect(port)`. */
export function connections(): (port: number) => Promise<Redis> {
  const open: Redis[] = []
  afterEach(() => {
    for (const connection of open.splice(0)) connection.disconnect()
  })
  return async port => {
    const connection = new Redis(port, { retryStrategy: () => 20 })
    open.push(connection)
    // What follows from a broken connection is seen in the limiter's answers.
    connection.on('error', () => {})
    await connection.ping()
    return connection
  }
}

/** A client whose connection was never made: what a limiter sees when Redis is gone for good. */
export function goneClient(): Redis {
  const client = new Redis(1, { lazyConnect: true, retryStrategy: () => null })
  client.disconnect()
  return client
}
