import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { gzipSync } from 'node:zlib'
import { freePort } from '@millrace/testkit'
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type DemoProcess, DemoSandbox } from '../demo.fixture.ts'
import { launchBrowser } from './browser.fixture.ts'
import type { LiveState } from './live-state.ts'
import { faintTexts, recordShifts, takeShifts } from './page-checks.fixture.ts'

/** Screenshots of each state, to be looked at. */
const shots = resolve(import.meta.dirname, '../../../../.millrace/screenshots')

/** A name that would run, were it taken for markup. */
const HOSTILE = '<img src=x onerror=alert(1)>'

let sandbox: DemoSandbox
let demo: DemoProcess
let origin: string
let browser: Browser
/** Two pages that stay open: 1,280 px in light, 360 px in dark, each in a window that all of it fits in, as only what is seen shifts. */
let wide: Page
let narrow: Page
const problems: string[] = []

beforeAll(async () => {
  await mkdir(shots, { recursive: true })
  sandbox = await DemoSandbox.create()
  const write = (name: string, manifest: object, source: string) =>
    Promise.all([
      sandbox.write(`app/node_modules/${name}/package.json`, JSON.stringify(manifest)),
      sandbox.write(`app/node_modules/${name}/index.js`, source),
    ])
  for (let i = 0; i < 60; i++) {
    const name = `package-${i}`
    await write(name, { name, version: `1.0.${i}` }, `require('package-${(i * 7 + 1) % 60}')\n`)
  }
  await write('hostile', { name: HOSTILE, version: HOSTILE }, "require('package-1')\n")
  const launched = launchBrowser()
  // Where it comes back after it has ended.
  await serve(`${await freePort()}`)
  browser = await launched
  ;[wide, narrow] = await Promise.all([
    open({ viewport: { width: 1280, height: 5_000 }, colorScheme: 'light' }),
    open({ viewport: { width: 360, height: 12_000 }, colorScheme: 'dark' }),
  ])
})
afterAll(async () => {
  await browser.close()
  await sandbox[Symbol.asyncDispose]()
})
afterEach(() => expect(problems.splice(0)).toEqual([]))

async function serve(port: string): Promise<void> {
  demo = sandbox.start(['app', '--port', port])
  origin = (await demo.printed(/Serving on (http:\S+):/))[1]!
}

async function open(options: Parameters<Browser['newPage']>[0]): Promise<Page> {
  const page = await browser.newPage(options)
  page.on('console', message => {
    if (message.type() === 'error') problems.push(message.text())
  })
  page.on('pageerror', error => problems.push(String(error)))
  page.on('dialog', dialog => {
    problems.push(`dialog: ${dialog.message()}`)
    void dialog.dismiss()
  })
  page.on('request', request => {
    if (!request.url().startsWith(origin) && !request.url().startsWith('data:'))
      problems.push(`asked for ${request.url()}`)
  })
  await recordShifts(page)
  // The demo's own numbers come after those of the dashboard, so that what they move is seen.
  await page.route('**/live.json', async route => {
    await page.locator('.uplot').first().waitFor()
    await route.continue()
  })
  await page.goto(`${origin}/`)
  await page.locator('.uplot').first().waitFor()
  return page
}

const shot = (page: Page, name: string) =>
  page.screenshot({ path: join(shots, `${name}.png`), fullPage: true })

/** Waits until the text of an element matches. */
async function shows(page: Page, selector: string, pattern: RegExp): Promise<void> {
  await page
    .locator(selector)
    .filter({ hasText: pattern })
    .first()
    .waitFor({ state: 'attached', timeout: 60_000 })
}

describe('the live page', () => {
  test('moves without being touched, under its strict policy and without an error', async () => {
    await shows(wide, '#verdict', /\w/)
    const calls = () => wide.locator('#timings').textContent()
    const before = await calls()
    await expect.poll(calls).not.toBe(before)
    await shows(wide, '#caches', /demo_traffic_cache/)
    await shows(wide, '#removals li:nth-child(n + 4)', / [1-9]/)
    // After so many look-ups that it can be told.
    await wide.locator('#advice .value').waitFor({ state: 'attached', timeout: 60_000 })
    expect(await wide.locator('#advice .value').count()).toBe(1)
    // Not even when the first data came, whatever came first.
    for (const page of [wide, narrow]) {
      const [width, below] = await page.evaluate<[number, number]>(
        '[innerWidth, document.documentElement.scrollHeight - innerHeight]',
      )
      expect([width, below, await takeShifts(page)]).toEqual([width, 0, []])
    }
    await shot(wide, 'light')
  })

  test('does not scroll sideways, neither at 1,280 nor at 360 px', async () => {
    for (const page of [wide, narrow]) {
      const { width } = page.viewportSize()!
      await shows(page, '#pools', /demo_http_pool/)
      const sideways = await page.evaluate<number>(
        'document.documentElement.scrollWidth - document.documentElement.clientWidth',
      )
      expect([width, sideways]).toEqual([width, 0])
      const clipped = await page.evaluate<string[]>(
        `[...document.querySelectorAll('#pools td, section')]
          .filter(each => getComputedStyle(each).overflowX !== 'auto')
          .filter(each => each.scrollWidth > each.clientWidth + 1)
          .map(each => each.id || each.textContent.slice(0, 40))`,
      )
      expect([width, clipped]).toEqual([width, []])
      // Also within what could be scrolled: the last columns of the operations tell how many of them fail.
      await shows(page, '#timings', /millrace_http_request_seconds/)
      const outOfSight = await page.evaluate<string[]>(
        `[...document.querySelectorAll('td, th')]
          .filter(each => each.getClientRects().length > 0 && each.textContent !== '')
          .filter(each => each.getBoundingClientRect().right > each.closest('section').getBoundingClientRect().right)
          .map(each => each.textContent)`,
      )
      expect([width, outOfSight]).toEqual([width, []])
      const edges = await page.evaluate<number[]>(
        `[...document.querySelectorAll('section:not([hidden])')].map(each => each.getBoundingClientRect().left)`,
      )
      expect(Math.min(...edges)).toBeGreaterThanOrEqual(8)
    }
    await shot(narrow, '360')
  })

  test('finds packages, and shows what imports them and what they import, by keyboard alone', async () => {
    const { keyboard } = wide
    await wide.locator('#query').focus()
    await keyboard.type('package-8')
    await shows(wide, '#found li', /package-8 \(1 file\)/)
    await keyboard.press('Tab')
    await keyboard.press('Enter')
    await shows(wide, '.columns .from', /imported by \(1\)package-1 /)
    await shows(wide, '.columns .to', /imports \(1\)package-57 /)
    // The button that is pressed next goes with what it shows: the focus goes on, instead of back to the top.
    await wide.locator('.columns .to button').focus()
    await keyboard.press('Enter')
    await shows(wide, '.columns b', /^package-57$/)
    await expect.poll(() => wide.locator(':focus').textContent()).toBe('package-57')
    await keyboard.press('Tab')
    expect(await wide.locator(':focus').textContent()).toBe('all that is known')
    await shot(wide, 'packages')
  })

  test('shows the names of others as text', async () => {
    await wide.locator('#query').fill('<img')
    const button = wide.locator('#found button')
    await expect.poll(() => button.textContent()).toBe(`${HOSTILE} (1 file)`)
    await button.click()
    await shows(wide, '.columns b', /^<img/)
    const [link] = await wide.locator('.columns a').all()
    const answer = await wide.request.get(new URL((await link!.getAttribute('href'))!, origin).href)
    expect(await answer.json()).toMatchObject({
      name: HOSTILE,
      versions: [HOSTILE],
      registry: null,
    })
    expect(await wide.locator('img').count()).toBe(0)
  })

  test('names all its controls', async () => {
    const nameless = await wide.evaluate<string[]>(
      `[...document.querySelectorAll('button, a, input, summary')]
        .filter(each => !(each.textContent.trim() || each.closest('label')?.textContent.trim()))
        .map(each => each.outerHTML)`,
    )
    expect(nameless).toEqual([])
  })

  test('weighs less than 40 kB compressed', async () => {
    const scripts = ['uplot.js', 'format.js', 'mark-labels.js', 'charts.js', 'app.js', 'demo.js']
    const files = ['', ...scripts, 'uplot.css', 'style.css', 'demo.css']
    const bodies = await Promise.all(
      files.map(async file => (await wide.request.get(`${origin}/${file}`)).body()),
    )
    const bytes = bodies.reduce((sum, body) => sum + gzipSync(body, { level: 9 }).length, 0)
    expect(bytes).toBeLessThan(40_000)
  })

  test('opens a slow trace as a waterfall that stays open when slower ones come', async () => {
    const summaries = wide.locator('#waterfalls summary')
    const live = async () =>
      (await (await wide.request.get(`${origin}/live.json`)).json()) as LiveState
    const long = async () => (await live()).traces.filter(({ rows }) => rows.length > 1)
    await expect.poll(async () => (await long()).length).toBeGreaterThan(0)
    // What is shown from now on is told here: slower ones come by themselves at any time.
    let shown = (await long()).slice(0, 2).map(({ rows: [root, ...others], ...trace }) => ({
      ...trace,
      id: `shown ${trace.id}`,
      rows: [{ ...root!, name: 'shown' }, ...others],
    }))
    await wide.route('**/live.json', async route => {
      await route.fulfill({ json: { ...(await live()), traces: shown } })
    })
    await expect
      .poll(() => summaries.allTextContents(), { timeout: 30_000 })
      .toEqual(shown.map(() => expect.stringMatching(/: shown$/)))
    await summaries.first().click()
    const opened = wide.locator('#waterfalls details[open]')
    const title = await opened.locator('summary').textContent()
    expect(await opened.locator('.span').count()).toBeGreaterThan(1)
    await shot(wide, 'waterfall')
    const rows = [{ name: 'slower', depth: 0, offset: 0, duration: 99_999, failed: true }]
    // In the place of another one: what is open keeps its own.
    shown = [{ id: 'slower', began: Date.now(), duration: 99_999, rows }, ...shown]
    await expect
      .poll(() => summaries.last().textContent(), { timeout: 30_000 })
      .toMatch(/^100\.00 s, 1 span, at \d\d:\d\d:\d\d: slower$/)
    expect(await summaries.count()).toBe(shown.length)
    expect(await opened.locator('summary').allTextContents()).toEqual([title])
    expect(await wide.locator(':focus').textContent()).toBe(title)
    // Also when it is no longer among the slowest.
    shown = shown.slice(0, 1)
    await expect.poll(() => summaries.count()).toBe(2)
    expect(await summaries.first().textContent()).toBe(title)
    await summaries.first().click()
    await expect.poll(() => summaries.allTextContents()).toHaveLength(1)
    await wide.unroute('**/live.json')
  })

  test('marks each scenario on the charts at its beginning and its end, however often it is asked for', async () => {
    const scenarios: [id: string, title: string, end: string][] = [
      ['kill-upstream', 'Kill the upstream', 'The upstream answers again'],
      ['slow-upstream', 'Slow upstream', 'The upstream is quick again'],
      ['edit-files', 'Edit 1,000 files', '1,000 edits: 2,000 results computed, 1,000 cut off'],
      ['burst', 'Traffic burst', '2,000 look-ups let through'],
      ['hot-key', 'Hot key', 'All packages are asked for again'],
      ['invalidate-tag', 'Invalidate tag', 'Dropped 1 package tagged @greek'],
    ]
    const granted = async () =>
      Number(
        /^demo_traffic_limiter_granted (\d+)/m.exec(
          await (await wide.request.get(`${origin}/metrics`)).text(),
        )?.[1],
      )
    const before = await granted()
    const begun = performance.now()
    const marks = new Set<string>()
    const collect = async () => {
      for (const each of await wide.locator('#marks td:first-child').allTextContents()) {
        marks.add(each)
      }
      return [...marks]
    }
    const levels = (row: string) =>
      wide.locator('#levels tr', { hasText: row }).locator('td').last().textContent()
    expect(await levels('results computed')).toBe('0')
    await takeShifts(wide)
    await takeShifts(narrow)
    for (const [id, title] of scenarios) {
      const button = wide.locator(`#${id}`)
      expect(await button.textContent()).toContain(title)
      await button.click()
      await wide.evaluate(`for (let i = 0; i < 20; i++) document.getElementById('${id}').click()`)
      await expect.poll(collect).toContainEqual(expect.stringContaining(title))
      if (id === 'kill-upstream') await shows(wide, '#pools td', /^open$/)
      if (id !== 'hot-key') continue
      await expect.poll(() => button.getAttribute('aria-pressed')).toBe('true')
    }
    await expect
      .poll(async () => {
        const all = await collect()
        const ends = [...scenarios.map(([, , end]) => end), 'The breaker has closed']
        return ends.filter(end => !all.some(mark => mark.startsWith(end)))
      })
      .toEqual([])
    // What was edited is seen by level, and what was invalidated has been asked for again.
    // Not the reads: a file that was written a moment ago is read once more.
    await expect.poll(() => levels('sources parsed')).toBe('1,000')
    await expect.poll(() => levels('results computed')).toBe('2,000')
    await expect.poll(() => levels('of these the same')).toBe('1,000')
    await shows(wide, '#removals', /invalidated [1-9]/)
    // One burst, not three, beside the load of an open page.
    const passed = (await granted()) - before
    expect(passed).toBeGreaterThanOrEqual(2_000)
    expect(passed).toBeLessThan(4_000 + (20 * (performance.now() - begun)) / 1_000)
    await shot(wide, 'scenarios-over')
    await shot(narrow, 'scenarios-over-360')
  })

  test('moved nothing that was there while its numbers, verdicts and events changed', async () => {
    expect({ wide: await takeShifts(wide), narrow: await takeShifts(narrow) }).toEqual({
      wide: [],
      narrow: [],
    })
  })

  test('is legible in light and in dark', async () => {
    expect({ light: await faintTexts(wide), dark: await faintTexts(narrow) }).toEqual({
      light: [],
      dark: [],
    })
  })

  test('says that a server hangs', async () => {
    demo.child.kill('SIGSTOP')
    await shows(wide, '#age', /no data for \d+ s/)
    await shot(wide, 'stopped')
    demo.child.kill('SIGCONT')
    await expect.poll(() => wide.locator('#age').textContent()).toBe('')
  })

  test('bears a server that ends, whatever is pressed meanwhile, and goes on when it is back', async () => {
    await wide.evaluate('window.opened = true')
    demo.interrupt()
    expect((await demo.outcome()).code).toBe(0)
    await wide.locator('#burst').click()
    await wide.locator('#query').fill('package-1')
    await wide.locator('.columns button').first().click()
    await shows(wide, '#age', /no data for \d+ s/)
    // Chromium itself reports each request that has no answer; nothing else may be wrong.
    const refused = problems.splice(0).filter(each => !each.includes('ERR_CONNECTION_REFUSED'))
    expect(refused).toEqual([])
    await serve(new URL(origin).port)
    await expect.poll(() => wide.locator('#age').textContent()).toBe('')
    problems.splice(0)
    // Without being loaded anew, and with what happens in the new process told once.
    expect(await wide.evaluate('window.opened')).toBe(true)
    expect(await wide.locator('.uplot').count()).toBe(6)
    const marks = () => wide.locator('#marks td:first-child').allTextContents()
    await expect.poll(marks).toEqual([])
    await wide.locator('#hot-key').click()
    await expect.poll(marks).toContain('Hot key')
    expect((await marks()).filter(mark => mark === 'Hot key')).toHaveLength(1)
    await wide.locator('#query').fill('package-2')
    await shows(wide, '#found li', /package-2 \(1 file\)/)
  })
})
