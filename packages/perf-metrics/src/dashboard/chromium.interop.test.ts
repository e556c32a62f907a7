import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Browser, chromium } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Dashboard } from '../dashboard.ts'
import { Guard } from '../guard.ts'
import { Registry } from '../index.ts'

const PATH = '/ops/metrics'
const metrics = new Registry()
const load = metrics.timing('load_seconds', { labels: ['source'] })
const users = {
  hits: 60,
  misses: 40,
  entries: 7,
  bytes: 2048,
  maxBytes: 4096,
  removals: { ttl: 2 },
}
metrics.observe('users_cache', { stats: () => users })
metrics.observe('api_limit', { stats: () => ({ granted: 5, refused: 1, waiting: 0 }) })
metrics.gauge('temperature').set(50)
const lookups = metrics.counter('lookups_total', { labels: ['outcome'] })
lookups.inc({ outcome: 'hit' }, 407)
lookups.inc({ outcome: 'miss' }, 593)
const guard = new Guard(metrics, {
  interval: 100,
  rules: [
    { name: 'Overheated', type: 'threshold', metric: 'temperature', above: 90, for: 0 },
    {
      name: 'HitRatio',
      type: 'ratio',
      numerator: { metric: 'lookups_total', labels: { outcome: 'hit' } },
      denominator: [{ metric: 'lookups_total' }],
      below: 0.6,
      for: 0,
      summary: 'Most look-ups go to the database',
    },
  ],
})
const dashboard = new Dashboard({
  registry: metrics,
  basePath: PATH,
  guard,
  interval: 100,
  slowSpans: () => [
    { name: '<img src=x onerror=alert(1)>', duration: 2500, start: Date.now(), traceId: 'abc123' },
  ],
})

let server: Server
let browser: Browser
let port: number

beforeAll(async () => {
  server = createServer(dashboard.handler())
  server.listen(0, '0.0.0.0')
  await once(server, 'listening')
  port = (server.address() as AddressInfo).port
  browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--no-first-run',
    ],
  })
})

afterAll(async () => {
  await browser?.close()
  dashboard.close()
  guard.close()
  server?.close()
  server?.closeAllConnections()
})

describe('the page in Chromium', () => {
  it('shows values that move, under its strict policy and without a complaint', async () => {
    const page = await browser.newPage()
    const complaints: string[] = []
    page.on('console', message => {
      if (message.type() === 'error' || message.type() === 'warning')
        complaints.push(message.text())
    })
    page.on('pageerror', error => complaints.push(String(error)))
    page.on('dialog', dialog => {
      complaints.push(dialog.message())
      void dialog.dismiss()
    })
    await page.goto(`http://localhost:${port}${PATH}`)
    const row = (table: string, text: string) => page.locator(`#${table} tr`, { hasText: text })
    await row('caches', 'users_cache').getByText('60 %').waitFor()
    await row('slow', '<img src=x onerror=alert(1)>').getByText('2.5 s').waitFor()
    await page.locator('#verdict.good').waitFor()
    expect(await page.locator('.uplot').count()).toBe(6)

    users.hits = 160
    for (let i = 0; i < 50; i++) load.record({ source: 'db' }, 30)
    await row('caches', 'users_cache').getByText('80 %').waitFor()
    await row('timings', 'load_seconds source=db')
      .getByText('50', { exact: true })
      .first()
      .waitFor()
    metrics.gauge('temperature').set(95)
    await page.locator('#verdict.bad', { hasText: 'Tripped: Overheated' }).waitFor()
    await row('alerts', 'Overheated').getByText('tripped').waitFor()

    const legend = page.locator('.chart', { hasText: 'Memory' }).locator('canvas')
    expect((await legend.boundingBox())!.width).toBeGreaterThan(200)
    expect(complaints).toEqual([])
    await page.close()
  })

  it.each(['light', 'dark'] as const)(
    'shows its numbers on screens wide and narrow, %s',
    async colorScheme => {
      // To look at the pictures, name a folder in MILLRACE_SCREENSHOTS.
      const kept = process.env.MILLRACE_SCREENSHOTS
      const folder = kept ?? mkdtempSync(join(tmpdir(), 'millrace-dashboard-'))
      mkdirSync(folder, { recursive: true })
      try {
        for (const width of [1280, 360]) {
          const page = await browser.newPage({ colorScheme, viewport: { width, height: 900 } })
          await page.goto(`http://localhost:${port}${PATH}/`)
          await page.locator('#caches').getByText('2 KiB').waitFor()
          for (let i = 0; i < 20; i++) {
            load.record({ source: 'db' }, 5 + i)
            await page.waitForTimeout(50)
          }
          await page.locator('.chart h2', { hasText: 'load_seconds source=db' }).waitFor()
          const overflow = await page.evaluate(`({
          page: document.documentElement.scrollWidth - innerWidth,
          cells: [...document.querySelectorAll('td')]
            .filter(cell => cell.offsetParent !== null && cell.textContent !== '')
            .filter(cell => cell.getBoundingClientRect().right > innerWidth)
            .map(cell => cell.textContent),
        })`)
          expect(overflow).toEqual({ page: 0, cells: [] })
          const path = join(folder, `${colorScheme}-${width}.png`)
          const picture = await page.screenshot({ path, fullPage: true })
          expect(picture.length).toBeGreaterThan(10_000)
          await page.close()
        }
      } finally {
        if (kept === undefined) rmSync(folder, { recursive: true })
      }
    },
  )

  it.each([1280, 360])('names the busiest operation to its end (%d px)', async width => {
    const busy = new Registry()
    const served = busy.timing('http_server_request_duration_seconds', { labels: ['route'] })
    const route = '/api/v1/organisations/:organisation/members/:member'
    const other = new Dashboard({ registry: busy, interval: 100 })
    const listener = createServer(other.handler()).listen(0, '127.0.0.1')
    await once(listener, 'listening')
    const page = await browser.newPage({ viewport: { width, height: 900 } })
    await page.goto(`http://localhost:${(listener.address() as AddressInfo).port}/`)
    const heading = page.locator('.chart h2', { hasText: 'Durations' })
    await heading.waitFor()
    const height = (await heading.boundingBox())!.height
    const calls = setInterval(() => served.record({ route }, 20), 20)
    await heading.getByText(route).waitFor()
    const hidden = await page.evaluate(`(() => {
      const names = [...document.querySelectorAll('.chart h2 span')]
      const name = names.find(({ textContent }) => textContent.startsWith('http_server'))
      return [name.scrollWidth - name.clientWidth, name.scrollHeight - name.clientHeight]
    })()`)
    expect(hidden).toEqual([0, 0])
    // There was room for it before it came.
    expect((await heading.boundingBox())!.height).toBe(height)
    clearInterval(calls)
    await page.close()
    other.close()
    listener.closeAllConnections()
    listener.close()
  })

  it.each([1280, 800, 360])(
    'moves nothing while numbers come, grow and go, and sentences and events with them (%d px)',
    async width => {
      const moving = new Registry()
      const names = [
        'requests',
        'retries',
        'deadlines',
        'reused',
        'created',
        'aborted',
        'refusedByLimit',
      ]
      const numbers: Record<string, number> = { idle: 0, pending: 0 }
      for (const name of names) numbers[name] = 0
      moving.observe('http_pool', { stats: () => ({ ...numbers, origins: { a: numbers } }) })
      moving.observe('client', { stats: () => ({ ...numbers, idle: undefined }) })
      moving.observe('users_cache', {
        stats: () => ({
          hits: numbers.requests,
          misses: 1,
          entries: numbers.reused,
          bytes: 3,
          maxBytes: 9,
        }),
      })
      const gauge = moving.gauge('temperature')
      const timed = moving.timing('load_seconds')
      timed.record(1)
      const judge = new Guard(moving, {
        interval: 100,
        rules: [{ name: 'Hot', type: 'threshold', metric: 'temperature', above: 90, for: 0 }],
      })
      const board = new Dashboard({ registry: moving, guard: judge, interval: 100 })
      const listener = createServer(board.handler()).listen(0, '127.0.0.1')
      await once(listener, 'listening')
      const page = await browser.newPage({ viewport: { width, height: 6_000 } })
      await page.addInitScript(`
        window.shifts = []
        new PerformanceObserver(list => {
          for (const { sources } of list.getEntries())
            for (const { node, previousRect, currentRect } of sources)
              if (Math.abs(previousRect.y - currentRect.y) >= 1)
                shifts.push((node?.id || node?.nodeName) + ' ' + previousRect.y + ' to ' + currentRect.y)
        }).observe({ type: 'layout-shift', buffered: true })`)
      await page.goto(`http://localhost:${(listener.address() as AddressInfo).port}/`)
      const shown = page.locator('#pools .below').first()
      await shown.waitFor()
      for (const value of [1, 0, 123_456_789, 0, 1_234, 17]) {
        for (const name of names) numbers[name] = value
        gauge.set(value)
        timed.record(value)
        board.mark(`everything is ${value} now`)
        await shown.getByText(value.toLocaleString('en')).first().waitFor()
        await page.locator('#marks').getByText(`everything is ${value} now`).first().waitFor()
      }
      expect(await page.evaluate('shifts')).toEqual([])
      expect(await page.evaluate('document.documentElement.scrollHeight - innerHeight')).toBe(0)
      await page.close()
      board.close()
      judge.close()
      listener.closeAllConnections()
      listener.close()
    },
  )

  it('comes back by itself after the connection was lost', async () => {
    const page = await browser.newPage()
    await page.goto(`http://localhost:${port}${PATH}/`)
    await page.locator('#caches tr', { hasText: 'users_cache' }).waitFor()
    server.closeAllConnections()
    users.entries = 4321
    await page.locator('#caches').getByText('4,321').waitFor()
    await page.close()
  })

  it('grows no memory for clients that stall', async () => {
    const stalled = Array.from({ length: 5 }, () => {
      const socket = connect(port, '127.0.0.1')
      socket.pause()
      socket.write(`GET ${PATH}/events HTTP/1.1\r\nHost: localhost\r\n\r\n`)
      return socket
    })
    await expect.poll(() => dashboard.stats().clients).toBeGreaterThanOrEqual(stalled.length)
    const page = await browser.newPage()
    await page.goto(`http://localhost:${port}${PATH}/`)
    await page.locator('#caches tr', { hasText: 'users_cache' }).waitFor()
    globalThis.gc?.()
    const before = process.memoryUsage()
    await new Promise(resolve => setTimeout(resolve, 5000))
    globalThis.gc?.()
    const after = process.memoryUsage()
    // What the kernel takes is bounded, and beyond it one frame per client is kept.
    expect(
      after.external + after.arrayBuffers - before.external - before.arrayBuffers,
    ).toBeLessThan(5_000_000)
    for (const socket of stalled) socket.destroy()
    await page.close()
  })

  it('is not there for a stranger', async () => {
    const outside = Object.values(networkInterfaces())
      .flat()
      .find(network => network !== undefined && !network.internal && network.family === 'IPv4')
    if (outside === undefined) throw new Error('This test needs an address besides loopback')
    for (const path of ['/', '/events', '/snapshot.json', '/app.js']) {
      const response = await fetch(`http://${outside.address}:${port}${PATH}${path}`)
      expect([response.status, await response.text()], path).toEqual([404, ''])
    }
  })
})
