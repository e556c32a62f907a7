import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { launchBrowser } from '../apps/demo/src/serve/browser.fixture.ts'
import { failOnLostOutput } from '../packages/kit/src/calls/fail-on-lost-output.ts'

failOnLostOutput()

/**
 * `node scripts/demo-photographs.ts [FOLDER]`: pictures of every state of the demo's page in Debian's Chromium, to be looked at: opened, warm,
 * each scenario under way and over, waterfall, search, a server that has stopped, and a fleet; at 1,280 and 360 px, in light and dark.
 * FOLDER is `.millrace/photographs` unless it is given.
 */
const root = fileURLToPath(new URL('..', import.meta.url))
const folder = resolve(process.argv[2] ?? join(root, '.millrace/photographs'))
const scenarios = ['kill-upstream', 'slow-upstream', 'edit-files', 'burst', 'hot-key']

function startDemo(...options: string[]): ChildProcess {
  return spawn(
    process.execPath,
    [
      '--conditions=millrace-source',
      'apps/demo/src/main.ts',
      'packages',
      '--port',
      '0',
      ...options,
    ],
    { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] },
  )
}

/** Waits for a line, and returns its first group of each match so far. */
async function printed({ stdout }: ChildProcess, pattern: RegExp, count = 1): Promise<string[]> {
  let output = ''
  for await (const text of stdout!.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
    output += text
    const found = [...output.matchAll(pattern)].map(([, first]) => first!)
    if (found.length < count) continue
    stdout!.resume()
    return found
  }
  throw new Error(`The demo did not start:\n${output}`)
}

type Browser = Awaited<ReturnType<typeof launchBrowser>>
type Page = Awaited<ReturnType<Browser['newPage']>>

interface View {
  readonly name: string
  readonly page: Page
}

const looks = [
  { name: '1280-light', viewport: { width: 1280, height: 900 }, colorScheme: 'light' },
  { name: '1280-dark', viewport: { width: 1280, height: 900 }, colorScheme: 'dark' },
  { name: '360-light', viewport: { width: 360, height: 800 }, colorScheme: 'light' },
  { name: '360-dark', viewport: { width: 360, height: 800 }, colorScheme: 'dark' },
] as const

async function open(browser: Browser, origin: string): Promise<View[]> {
  return Promise.all(
    looks.map(async ({ name, ...look }) => {
      const page = await browser.newPage(look)
      await page.goto(origin)
      await page.locator('.uplot').first().waitFor()
      return { name, page }
    }),
  )
}

async function take(views: readonly View[], state: string): Promise<void> {
  for (const { name, page } of views) {
    await page.screenshot({ path: join(folder, `${state}-${name}.png`), fullPage: true })
  }
}

async function stop(demo: ChildProcess): Promise<void> {
  const ended = once(demo, 'exit')
  demo.kill('SIGINT')
  await ended
}

async function photographOne(browser: Browser): Promise<void> {
  const demo = startDemo()
  const [origin] = await printed(demo, /Serving on (http:\S+):/g)
  const views = await open(browser, origin!)
  const [{ page }] = views as [View]
  await take(views, '01-opened')
  await page.waitForTimeout(15_000)
  await take(views, '02-warm')
  for (const [i, name] of scenarios.entries()) {
    await page.locator(`#${name}`).click()
    await page.waitForTimeout(6_000)
    await take(views, `1${i}-${name}`)
    await page.waitForTimeout(8_000)
  }
  await page.locator('#invalidate-tag').click()
  await page.waitForTimeout(2_000)
  await take(views, '20-over')
  for (const view of views) {
    await view.page.locator('#waterfalls summary').first().click()
    await view.page.locator('#query').fill('cache')
    await view.page.locator('#found button').first().click()
  }
  await page.waitForTimeout(1_000)
  await take(views, '21-waterfall-and-packages')
  for (const view of views) await view.page.locator('#query').fill('there is no such package')
  await page.waitForTimeout(1_000)
  await take(views, '22-found-nothing')
  await stop(demo)
  await page.waitForTimeout(8_000)
  await take(views, '30-stopped')
  for (const view of views) await view.page.close()
}

async function photographFleet(browser: Browser): Promise<void> {
  const fleet = startDemo('--fleet')
  const origins = await printed(fleet, /^Member \d on (http:\S+)/gm, 3)
  const members = await Promise.all(origins.map(origin => open(browser, origin)))
  const [{ page }] = members[0] as [View]
  await page.waitForTimeout(8_000)
  await page.locator('#invalidate-tag').click()
  await page.waitForTimeout(5_000)
  for (const [i, views] of members.entries()) await take(views, `4${i}-fleet`)
  await stop(fleet)
}

mkdirSync(folder, { recursive: true })
await using browser = await launchBrowser()
await photographOne(browser)
await photographFleet(browser)
console.log(`Pictures in ${folder}`)
