import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { launchBrowser } from '../apps/demo/src/serve/browser.fixture.ts'
import { failOnLostOutput } from '../packages/kit/src/calls/fail-on-lost-output.ts'

failOnLostOutput()

/** `node scripts/demo-screenshot.ts`: makes docs/demo.png, the picture of the README, from a run of the demo in Debian's Chromium. */
const root = fileURLToPath(new URL('..', import.meta.url))
const SECONDS = 40

function startDemo(): ChildProcess {
  return spawn(
    process.execPath,
    ['--conditions=millrace-source', 'apps/demo/src/main.ts', 'packages', '--port', '0'],
    { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] },
  )
}

async function originOf({ stdout }: ChildProcess): Promise<string> {
  let output = ''
  for await (const text of stdout!.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
    output += text
    const origin = /Serving on (http:\S+):/.exec(output)?.[1]
    if (origin !== undefined) return origin
  }
  throw new Error(`The demo did not start:\n${output}`)
}

const demo = startDemo()
try {
  const origin = await originOf(demo)
  demo.stdout!.resume()
  await using browser = await launchBrowser()
  const page = await browser.newPage({ viewport: { width: 1280, height: 1_140 } })
  await page.goto(origin)
  // A line to look at: load alone, then an upstream that dies and comes back, then a burst.
  await page.waitForTimeout((SECONDS / 4) * 1_000)
  await page.locator('#kill-upstream').click()
  await page.waitForTimeout((SECONDS / 2) * 1_000)
  await page.locator('#burst').click()
  await page.waitForTimeout((SECONDS / 4) * 1_000)
  await page.screenshot({ path: `${root}/docs/demo.png` })
} finally {
  demo.kill('SIGINT')
}
