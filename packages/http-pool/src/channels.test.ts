import { AsyncLocalStorage } from 'node:async_hooks'
import { channel, subscribe, unsubscribe } from 'node:diagnostics_channel'
import { UpstreamServer } from '@millrace/testkit'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type AttemptMessage, HttpPool, type RequestMessage } from './index.ts'

let server: UpstreamServer
let stop: (() => void)[] = []

beforeEach(async () => {
  server = await UpstreamServer.start()
})

afterEach(async () => {
  for (const each of stop) each()
  stop = []
  await server.kill()
})

function listen<T>(name: string): T[] {
  const messages: T[] = []
  const onMessage = (message: unknown) => void messages.push(message as T)
  subscribe(name, onMessage)
  stop.push(() => unsubscribe(name, onMessage))
  return messages
}

test('a request and each of its attempts are published, with their phases', async () => {
  const requestStarts = listen<RequestMessage>('millrace:http:request:start')
  const requestEnds = listen<RequestMessage>('millrace:http:request:end')
  const attemptStarts = listen<AttemptMessage>('millrace:http:attempt:start')
  const attemptEnds = listen<AttemptMessage>('millrace:http:attempt:end')
  const head = Promise.withResolvers<void>()
  const beforePiece = () => head.promise
  server.on('/a', 503, { latency: 20, body: 'xy', chunkSize: 1, beforePiece, chunkDelay: 10 })
  const pool = new HttpPool({ retry: { baseDelay: 1 } })
  const { body } = await pool.request(server.url('/a'))
  // The time of the body begins where its head has come, not where it was sent.
  head.resolve()
  await body.text()

  expect(requestStarts).toHaveLength(1)
  expect(requestEnds[0]).toBe(requestStarts[0])
  expect(requestEnds[0]).toMatchObject({
    method: 'GET',
    origin: server.origin,
    path: '/a',
    statusCode: 200,
    attempts: 2,
    duration: expect.any(Number),
  })
  expect(attemptEnds).toEqual(attemptStarts)
  expect(
    attemptEnds.map(({ attempt, reason, statusCode, reused }) => ({
      attempt,
      reason,
      statusCode,
      reused,
    })),
  ).toEqual([
    { attempt: 1, reason: 'first', statusCode: 503, reused: false },
    { attempt: 2, reason: 'retry', statusCode: 200, reused: true },
  ])
  const { queue, connect, ttfb, body: bodyTime } = attemptEnds[1]!.phases
  expect(queue).toBeGreaterThanOrEqual(0)
  expect(connect).toBe(0)
  expect(attemptEnds[0]!.phases.connect).toBeGreaterThan(0)
  expect(ttfb).toBeGreaterThanOrEqual(19)
  expect(bodyTime).toBeGreaterThanOrEqual(15)
  await pool.close()
})

test('a failure is published on both levels', async () => {
  const requestEnds = listen<RequestMessage>('millrace:http:request:end')
  const attemptEnds = listen<AttemptMessage>('millrace:http:attempt:end')
  server.on('*', { fault: 'reset' })
  const pool = new HttpPool({ retry: false })
  const error = await pool.request(server.url('/')).catch(each => each)
  expect(requestEnds[0]!.error).toBe(error)
  expect(attemptEnds[0]!.error).toBe(error)
  await pool.close()
})

test('the time in the queue is that of the queue', async () => {
  server.on('*', { latency: 40, body: '1' })
  const attemptEnds = listen<AttemptMessage>('millrace:http:attempt:end')
  const pool = new HttpPool({ connectionsPerHost: 1 })
  await Promise.all([pool.json(server.url('/')), pool.json(server.url('/'))])
  expect(attemptEnds[1]!.phases.queue).toBeGreaterThan(30)
  expect(attemptEnds[1]!.phases.connect).toBe(0)
  await pool.close()
})

test('what a subscriber binds is the context of the attempt, its headers and what undici publishes', async () => {
  server.on('*', 503, 200)
  const spans = new AsyncLocalStorage<string>()
  let next = 0
  const start = channel('millrace:http:attempt:start')
  start.bindStore(spans, () => `span-${++next}`)
  stop.push(() => start.unbindStore(spans))
  const seenByUndici: (string | undefined)[] = []
  const onCreate = () => void seenByUndici.push(spans.getStore())
  subscribe('undici:request:create', onCreate)
  stop.push(() => unsubscribe('undici:request:create', onCreate))

  const pool = new HttpPool({
    connectionsPerHost: 1,
    retry: { baseDelay: 1 },
    injectHeaders: (headers, { attempt }) => {
      headers.traceparent = spans.getStore()!
      headers['x-attempt'] = String(attempt)
      headers.accept = 'not taken'
    },
  })
  const get = (accept: string) =>
    pool.request(server.url('/'), { headers: { accept } }).then(({ body }) => body.dump())
  await Promise.all([get('a'), get('b'), get('c')])
  const sent = server.requests.map(({ headers }) => headers)
  expect(sent.map(({ traceparent }) => traceparent).toSorted()).toEqual([
    'span-1',
    'span-2',
    'span-3',
    'span-4',
  ])
  expect(new Set(seenByUndici)).toEqual(new Set(sent.map(({ traceparent }) => traceparent)))
  expect(sent.map(({ accept }) => accept).toSorted()).toEqual(['a', 'a', 'b', 'c'])
  expect(sent.filter(headers => headers['x-attempt'] === '2')).toHaveLength(1)
  await pool.close()
})
