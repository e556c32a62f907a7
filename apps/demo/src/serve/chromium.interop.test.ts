import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { gzipSync } from 'node:zlib'
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type DemoProcess, DemoSandbox } from '../demo.fixture.ts'
import { launchBrowser } from './browser.fixture.ts'

/** Screenshots of each state, to be looked at. */
const shots = resolve(import.meta.dirname, '../../../../.millrace/screenshots')

let sandbox: DemoSandbox
let demo: DemoProcess
let origin: string
let browser: Browser
let page: Page
let problems: string[]

beforeAll(async () => {
  await mkdir(shots, { recursive: true })
  sandbox = await DemoSandbox.create()
  for (let i = 0; i < 60; i++) {
    const name = `node_modules/package-${i}`
    await sandbox.write(`app/${name}/package.json`, `{"name":"package-${i}","version":"1.0.${i}"}`)
    await sandbox.write(`app/${name}/index.js`, `require('package-${(i * 7 + 1) % 60}')\n`)
  }
  demo = sandbox.start(['app', '--port', '0'])
  origin = (await demo.printed(/Serving on (http:\S+):/))[1]!
  browser = await launchBrowser()
})
afterAll(async () => {
  await browser.close()
  await sandbox[Symbol.asyncDispose]()
})
afterEach(() => page.close())

async function open(options: Parameters<Browser['newPage']>[0] = {}): Promise<void> {
  problems = []
  page = await browser.newPage(options)
  page.on('console', message => {
    if (message.type() === 'error') problems.push(message.text())
  })
  page.on('pageerror', error => problems.push(String(error)))
  page.on('request', request => {
    if (!request.url().startsWith(origin) && !request.url().startsWith('data:'))
      problems.push(`asked for ${request.url()}`)
  })
  await page.goto(`${origin}/`)
  await page.locator('#scenarios button').first().waitFor()
  await page.locator('.uplot').first().waitFor()
}

const shot = (name: string) => page.screenshot({ path: join(shots, `${name}.png`), fullPage: true })

/** Waits until the text of an element matches. */
async function shows(selector: string, pattern: RegExp): Promise<void> {
  await page
    .locator(selector)
    .filter({ hasText: pattern })
    .first()
    .waitFor({ state: 'attached', timeout: 60_000 })
}

describe('the live page', () => {
  test('moves without being touched, under its strict policy and without an error', async () => {
    await open({ viewport: { width: 1280, height: 900 } })
    await shows('#verdict', /\w/)
    const calls = () => page.locator('#timings').textContent()
    const before = await calls()
    await expect.poll(calls, { timeout: 30_000 }).not.toBe(before)
    await shows('#caches', /demo_traffic_cache/)
    await shows('#removals', /Gone: \d/)
    expect(await page.locator('#advice .value').count()).toBe(1)
    await shot('light')
    expect(problems).toEqual([])
  })

  test('does not scroll sideways, neither at 1,280 nor at 360 px', async () => {
    for (const width of [1280, 360]) {
      await open({
        viewport: { width, height: 800 },
        colorScheme: width === 360 ? 'dark' : 'light',
      })
      await shows('#pools', /demo_http_pool/)
      const wide = await page.evaluate<number>(
        'document.documentElement.scrollWidth - document.documentElement.clientWidth',
      )
      expect([width, wide]).toEqual([width, 0])
      const clipped = await page.evaluate<string[]>(
        `[...document.querySelectorAll('#pools td, section')]
          .filter(each => getComputedStyle(each).overflowX !== 'auto')
          .filter(each => each.scrollWidth > each.clientWidth + 1)
          .map(each => each.id || each.textContent.slice(0, 40))`,
      )
      expect([width, clipped]).toEqual([width, []])
      const edges = await page.evaluate<number[]>(
        `[...document.querySelectorAll('section:not([hidden])')].map(each => each.getBoundingClientRect().left)`,
      )
      expect(Math.min(...edges)).toBeGreaterThanOrEqual(8)
      await shot(`${width}`)
      expect(problems).toEqual([])
      if (width === 1280) await page.close()
    }
  })

  test.each([
    ['kill-upstream', 'Kill the upstream', 'The upstream answers again'],
    ['slow-upstream', 'Slow upstream', 'The upstream is quick again'],
    ['edit-files', 'Edit 1,000 files', '1000 edits: 2000 results computed, 1000 cut off'],
    ['burst', 'Traffic burst', 'Asked for 2,000 packages at once'],
    ['hot-key', 'Hot key', 'All packages are asked for again'],
    ['invalidate-tag', 'Invalidate tag', 'Dropped what is tagged'],
  ])(
    'the button %s is marked on the charts at its beginning and its end',
    async (id, title, end) => {
      await open({ viewport: { width: 1280, height: 900 } })
      const button = page.locator(`#${id}`)
      expect(await button.textContent()).toContain(title)
      await button.click()
      // Again while it runs: that changes nothing.
      await button.click()
      await shows('#marks td', new RegExp(title))
      await shows('#marks td', new RegExp(end))
      await shot(id)
      expect(problems).toEqual([])
    },
  )

  test('shows a burst waiting at the limiter', async () => {
    await open()
    await page.locator('#burst').click()
    await expect
      .poll(
        async () => {
          const response = await page.request.get(`${origin}/metrics`)
          return Number(/^demo_traffic_limiter_granted (\d+)/m.exec(await response.text())?.[1])
        },
        { timeout: 60_000 },
      )
      .toBeGreaterThan(2_000)
  })

  test('finds packages, and shows what imports them and what they import, by keyboard alone', async () => {
    await open()
    await page.locator('#query').focus()
    await page.keyboard.type('package-8')
    await shows('#found li', /package-8 \(1 file\)/)
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    await shows('.columns', /package-8/)
    await shows('.columns .from', /imported by \(1\)package-1 /)
    await shows('.columns .to', /imports \(1\)package-57 /)
    await shot('packages')
    expect(problems).toEqual([])
  })

  test('opens a slow trace as a waterfall that stays open', async () => {
    await open()
    const summary = page.locator('#waterfalls summary').first()
    await summary.click()
    const bars = page.locator('#waterfalls details[open] .span')
    await bars.first().waitFor()
    expect(await bars.count()).toBeGreaterThan(1)
    await page.waitForResponse(response => response.url().endsWith('/live.json'))
    expect(await bars.count()).toBeGreaterThan(1)
    await shot('waterfall')
  })

  test('names all its controls', async () => {
    await open()
    const nameless = await page.evaluate<string[]>(
      `[...document.querySelectorAll('button, a, input, summary')]
        .filter(each => !(each.textContent.trim() || each.closest('label')?.textContent.trim()))
        .map(each => each.outerHTML)`,
    )
    expect(nameless).toEqual([])
  })

  test('weighs less than 40 kB compressed', async () => {
    await open()
    const files = ['', 'uplot.js', 'uplot.css', 'style.css', 'app.js', 'demo.css', 'demo.js']
    const bodies = await Promise.all(
      files.map(async file => (await page.request.get(`${origin}/${file}`)).body()),
    )
    const bytes = bodies.reduce((sum, body) => sum + gzipSync(body, { level: 9 }).length, 0)
    expect(bytes).toBeLessThan(40_000)
  })

  test('says that a stopped server has stopped', async () => {
    await open()
    demo.child.kill('SIGSTOP')
    await shows('#age', /no data for \d+ s/)
    await shot('stopped')
    demo.child.kill('SIGCONT')
    await expect.poll(() => page.locator('#age').textContent(), { timeout: 30_000 }).toBe('')
  })
})
