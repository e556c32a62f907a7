import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { RedisServer } from '@millrace/testkit'
import { expect, test } from 'vitest'
import { PostgresServer } from './postgres-server.fixture.ts'

interface Printed {
  readonly name: string
  readonly kind: number
  readonly spanId: string
  readonly parentSpanId?: string
  readonly traceId: string
  readonly failed: boolean
  readonly scope: string
  readonly attributes: Record<string, unknown>
}

test('@opentelemetry/instrumentation-pg and -redis make the expected tree', async () => {
  await using postgres = await PostgresServer.start()
  await using redis = await RedisServer.start()
  const { stdout } = await promisify(execFile)(process.execPath, [
    '--conditions=millrace-source',
    fileURLToPath(new URL('./databases.fixture.ts', import.meta.url)),
    String(postgres.port),
    redis.url,
  ])
  const spans = JSON.parse(stdout) as Printed[]
  const byId = new Map(spans.map(span => [span.spanId, span]))
  const path = (span: Printed): string => {
    const parent = byId.get(span.parentSpanId ?? '')
    return `${parent === undefined ? '' : `${path(parent)} > `}${span.name}${span.failed ? '!' : ''}`
  }
  // Connecting and pooling have spans of their own, whose names are the instrumentation's business.
  const queries = spans.filter(({ scope, attributes }) => {
    return !scope.endsWith('-pg') || 'db.query.text' in attributes || 'db.statement' in attributes
  })
  const work = queries.map(path).filter(each => each.startsWith('work'))
  expect(work.sort()).toEqual([
    'work',
    'work > native',
    'work > native > pg.query:SELECT postgres',
    'work > pg.query:SELECT postgres',
    'work > pg.query:SELECT postgres!',
    'work > redis-GET',
    'work > redis-GET',
    'work > redis-NOSUCH!',
    'work > redis-SET',
  ])
  const root = spans.find(({ name }) => name === 'work')
  const children = spans.filter(({ traceId }) => traceId === root?.traceId)
  expect(children.length).toBeGreaterThanOrEqual(work.length)
  for (const { scope, kind } of children) {
    if (scope.includes('instrumentation')) expect(kind).toBe(2)
  }
})
