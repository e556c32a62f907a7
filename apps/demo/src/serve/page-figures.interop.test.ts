import { isDeepStrictEqual } from 'node:util'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { DemoSandbox } from '../demo.fixture.ts'
import type { Report } from '../report/report.ts'
import { launchBrowser } from './browser.fixture.ts'
import type { LiveState } from './live-state.ts'

/** Browsers of their own on one demo, whose own load is off: what is not asked for does not move. */
let sandbox: DemoSandbox
let browsers: Browser[]
let [here, there]: [Page, Page] = [] as never
let origin: string

beforeAll(async () => {
  sandbox = await DemoSandbox.create()
  const demo = sandbox.start(['app', '--port', '0', '--load', '0'])
  origin = (await demo.printed(/Serving on (http:\S+):/))[1]!
  browsers = await Promise.all([launchBrowser(), launchBrowser()])
  ;[here, there] = (await Promise.all(
    browsers.map(async browser => {
      const page = await browser.newPage({ reducedMotion: 'reduce' })
      await page.goto(`${origin}/`)
      await page.locator('.uplot').first().waitFor()
      return page
    }),
  )) as [Page, Page]
})
afterAll(async () => {
  await Promise.all(browsers.map(browser => browser.close()))
  await sandbox[Symbol.asyncDispose]()
})

/** The numbers of a row of a table, by the words before them. */
async function numbersOf(page: Page, table: string, row: string): Promise<Record<string, number>> {
  // Numbers without a column stand in the row below.
  const text = await page.evaluate<string>(`(() => {
    const rows = [...document.querySelectorAll('${table} tr')]
    const at = rows.findIndex(each => each.textContent.includes('${row}'))
    const below = rows[at + 1]?.className === 'below' ? rows[at + 1].textContent : ''
    return rows[at].textContent + ' ' + below
  })()`)
  const found = text.matchAll(/([a-z]+) (\d[\d,]*)/gi)
  return Object.fromEntries(
    [...found].map(([, name, digits]) => [name, Number(digits!.replaceAll(',', ''))]),
  )
}

async function metrics(): Promise<Map<string, number>> {
  const text = await (await fetch(`${origin}/metrics`)).text()
  const lines = text.matchAll(/^([a-z]\S*) (\S+)$/gm)
  return new Map([...lines].map(([, series, value]) => [series!, Number(value)]))
}

/** Plays a burst, and waits until the page shows how many look-ups there were, and it is over. */
async function burst(lookUps: string): Promise<void> {
  await here.locator('#burst').click()
  const row = here.locator('#timings tr', { hasText: 'demo_traffic_seconds' })
  const calls = () => row.locator('td').nth(5).textContent()
  await expect.poll(calls).toBe(lookUps)
  const playing = async () =>
    ((await (await fetch(`${origin}/live.json`)).json()) as LiveState).playing
  await expect.poll(playing).toEqual([])
}

test('the page shows the figures of the report', async () => {
  const answer = await fetch(`${origin}/report`, { headers: { accept: 'application/json' } })
  const { connections, packages, caches } = (await answer.json()) as Report
  const client = () => numbersOf(here, '#others', 'demo_registry_client')
  await expect.poll(client).toMatchObject({ downloaded: packages.described })
  const memory = caches.find(({ name }) => name === 'packages in memory')!
  expect(await client()).toMatchObject({
    memoryHits: memory.hits,
    memoryMisses: memory.misses,
    absent: packages.absent,
  })
  expect(await numbersOf(here, '#pools', 'demo_http_pool')).toMatchObject({
    attempts: connections.requests + connections.retries,
    created: connections.opened,
  })
})

test('and, once a burst is over, those of /metrics', async () => {
  await burst('2,000')
  const values = await metrics()
  expect(values.get('demo_traffic_seconds_count')).toBe(2_000)
  const hits = values.get('demo_traffic_cache_hits_total')!
  const misses = values.get('demo_traffic_cache_misses_total')!
  expect(hits + misses).toBe(2_000)
  const cache = here.locator('#caches tr', { hasText: 'demo_traffic_cache' }).locator('td')
  expect(await cache.nth(2).textContent()).toBe(
    `${Number(((100 * hits) / 2_000).toPrecision(3))} %`,
  )
  // They go when their time is over, which the page tells a moment later.
  const entries = async () => [
    await cache.nth(4).textContent(),
    `${(await metrics()).get('demo_traffic_cache_entries')}`,
  ]
  await expect.poll(entries).toSatisfy(([shown, told]) => shown === told)
  expect(await numbersOf(here, '#pools', 'demo_http_pool')).toMatchObject({
    attempts: values.get('demo_http_pool_attempts_total'),
    created: values.get('demo_http_pool_created_total'),
  })
})

test('what went from the cache, and why, is that of /metrics', async () => {
  // What the first burst left has expired before the end of the second.
  await burst('4,000')
  const removals = async () =>
    [...(await metrics())].flatMap(([series, number]) => {
      const kind = /^demo_traffic_cache_removals_total\{kind="(\w+)"\}$/.exec(series)?.[1]
      return kind === undefined ? [] : [`${kind} ${number.toLocaleString('en')}`]
    })
  expect((await removals()).filter(each => !each.endsWith(' 0'))).not.toEqual([])
  // What the second one left may still go.
  const shown = async () => {
    const [, , ...texts] = await here.locator('#removals li').allTextContents()
    return [texts, ['served stale 0', ...(await removals())]]
  }
  await expect.poll(shown).toSatisfy(([texts, told]) => isDeepStrictEqual(texts, told))
})

test('a second browser shows what the first one did, each thing once', async () => {
  const marks = (page: Page) => page.locator('#marks td:first-child').allTextContents()
  await there.locator('#edit-files').click()
  const over = async () => (await marks(here)).some(mark => mark.startsWith('1,000 edits:'))
  await expect.poll(over).toBe(true)
  const both = async () => [await marks(there), await marks(here)]
  await expect.poll(both).toSatisfy(([one, other]) => isDeepStrictEqual(one, other))
  const edits = (await marks(here)).filter(mark => /^(?:Edit 1,000 files|1,000 edits)/.test(mark))
  expect(edits).toEqual([expect.stringMatching(/^1,000 edits: /), 'Edit 1,000 files'])
})

test('nothing is animated', async () => {
  const animated = await here.evaluate<string[]>(
    `[...document.querySelectorAll('*')]
      .filter(each => {
        const { transitionDuration, animationName } = getComputedStyle(each)
        return animationName !== 'none' || transitionDuration.split(', ').some(time => time !== '0s')
      })
      .map(each => each.outerHTML.slice(0, 80))`,
  )
  expect(animated).toEqual([])
})
