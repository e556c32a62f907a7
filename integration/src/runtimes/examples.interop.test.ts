import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { RedisServer } from '@millrace/testkit'
import { type CodeBlock, codeBlocks, inRealTime, printsAs } from '@millrace/testkit/vitest'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { published } from '../conventions/published.fixture.ts'
import { buildPackages, programOf, runBy, runtimes } from './runtime.fixture.ts'

/** What an example needs that a runtime lacks; the READMEs say so. An example that runs after all must leave this table. */
const lacking: Readonly<Record<(typeof runtimes)[number]['name'], readonly string[]>> = {
  bun: [
    // Bun puts an `undici` of its own in place of the package.
    "from '@millrace/http-pool'",
    // Its node:http publishes nothing on diagnostics channels.
    'setHttpRoute',
    // It has that for `bun test` alone.
    "from 'node:test'",
  ],
  deno: [],
}

const realTime = inRealTime()

let redis: RedisServer
beforeAll(async () => {
  redis = await RedisServer.start()
  // The examples import what is published, not the sources.
  if (process.env.MILLRACE_BUILT !== '1') await buildPackages()
})
afterAll(() => redis.stop())

/** Runtimes print objects in styles of their own: quotes, line breaks and last commas do not count. */
function plain(text: string): string {
  return text
    .replace(/["'`]/g, '')
    .replace(/,(?=\s*[}\]])/g, '')
    .replace(/\s+/g, ' ')
    .trim()
}

/** The examples that need no compiler: those without decorators. */
const runnable = ({ run, code }: CodeBlock): boolean => run && !/^\s*@[a-z]\w*/m.test(code)

describe.each(runtimes.map(runtime => [runtime.name, runtime] as const))('%s', (name, runtime) => {
  let program: string
  beforeAll(async () => {
    program = await programOf(runtime)
  })

  test.each(published.map(each => [each.name, each.folder] as const))(
    'runs the examples of %s',
    // A process for each example, with the times that it shows.
    { ...realTime, timeout: 400_000 },
    async (_, folder) => {
      // Of its own, as the examples take the server for empty, also where they are run anew.
      const url = `${redis.url}/${name === 'bun' ? 1 : 2}`
      const client = new Redis(url)
      await client.flushdb()
      client.disconnect()
      const scripts = join(folder, '.readme', name)
      await mkdir(scripts, { recursive: true })
      try {
        for (const block of codeBlocks(await readFile(join(folder, 'README.md'), 'utf8'))) {
          if (!runnable(block)) continue
          const file = join(scripts, `line-${block.line}.ts`)
          await writeFile(file, block.code)
          const printed = await runBy(program, runtime, file, folder, { REDIS_URL: url })
          const shown = block.output ?? ''
          const works =
            printed.exit === 0 &&
            // What is thrown in a thread may leave the exit as it is.
            !printed.stderr.includes('Uncaught') &&
            (block.output === undefined || printsAs(plain(printed.stdout), plain(shown)))
          const known = lacking[name].some(needs => block.code.includes(needs))
          const outcome = `line ${block.line}: ${printed.exit}\n${printed.stdout}${printed.stderr}`
          expect(works, outcome).toBe(!known)
        }
      } finally {
        await rm(scripts, { recursive: true, force: true })
      }
    },
  )
})
