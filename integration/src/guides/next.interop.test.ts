import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { stripTypeScriptTypes } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { codeBlocks } from '@millrace/testkit/vitest'
import { afterAll, beforeAll, expect, test } from 'vitest'

const execute = promisify(execFile)
const root = join(import.meta.dirname, '../../..')
const env = {
  ...process.env,
  NODE_ENV: 'production' as const,
  NEXT_TELEMETRY_DISABLED: '1',
  TURBO_TELEMETRY_DISABLED: '1',
}
const used = ['cache-core', 'rate-limit']
const foreign = {
  next: '16.4.6',
  react: '19.2.0',
  'react-dom': '19.2.0',
}

/** The handler of the guide, by file; its client is the test. Types are stripped, as `npm run check:packages` checks them. */
async function handler(): Promise<Map<string, string>> {
  const blocks = codeBlocks(await readFile(join(root, 'docs/frameworks.md'), 'utf8'))
  const { code } = blocks.find(block => block.code.startsWith('// lib/shared.ts'))!
  const [files] = code.split('// What a client sees of it.')
  const [, shared, route] = files!.split(/^\/\/ (?:lib|app)\/.*\.ts\n/m)
  const imported = "import { shared } from '../../../lib/shared'\n"
  return new Map([
    // No token comes back while the machine stands still.
    ['lib/shared.js', stripTypeScriptTypes(shared!.replace('rate: 1,', 'rate: 0.001,'))],
    ['app/users/[id]/route.js', imported + stripTypeScriptTypes(route!)],
    ['app/layout.jsx', 'export default ({ children }) => <html><body>{children}</body></html>'],
  ])
}

let folder: string
let server: ChildProcess | undefined
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-next-'))
})
afterAll(async () => {
  if (server !== undefined && server.exitCode === null) {
    server.kill('SIGKILL')
    await once(server, 'exit')
  }
  await rm(folder, { recursive: true, force: true, maxRetries: 5 })
})

// It installs Next.js, of 200 MB.
test('a route handler is built by Next.js, served, and limited', { timeout: 400_000 }, async () => {
  if (process.env.MILLRACE_BUILT !== '1') {
    const filters = used.map(name => `--filter=@millrace/${name}`)
    await execute('turbo', ['run', 'build', ...filters], { cwd: root, env })
  }
  const dependencies: Record<string, string> = { ...foreign }
  for (const name of used) {
    const tarball = join(folder, `${name}.tgz`)
    await execute('pnpm', ['pack', '--out', tarball], { cwd: join(root, 'packages', name), env })
    dependencies[`@millrace/${name}`] = `file:${tarball}`
  }
  const files = await handler()
  files.set('package.json', JSON.stringify({ private: true, dependencies }))
  files.set(
    'next.config.mjs',
    `export default { turbopack: { root: ${JSON.stringify(folder)} } }\n`,
  )
  for (const [name, text] of files) {
    await mkdir(dirname(join(folder, name)), { recursive: true })
    await writeFile(join(folder, name), text)
  }
  const flags = ['--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error']
  await execute('npm', ['install', ...flags], { cwd: folder, env: { ...env, NODE_ENV: undefined } })
  const next = join(folder, 'node_modules/next/dist/bin/next')
  await execute(process.execPath, [next, 'build'], { cwd: folder, env })

  server = spawn(process.execPath, [next, 'start', '--port', '0', '--hostname', '127.0.0.1'], {
    cwd: folder,
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  server.stdout!.setEncoding('utf8').on('data', text => {
    output += text
  })
  await expect.poll(() => output, { timeout: 60_000 }).toMatch(/http:\/\/127\.0\.0\.1:\d+/)
  const url = /http:\/\/127\.0\.0\.1:\d+/.exec(output)![0]
  const get = async (id: string) => {
    const response = await fetch(`${url}/users/${id}`)
    return [response.status, response.headers.get('retry-after'), await response.text()]
  }
  expect(await get('1')).toEqual([200, null, '{"name":"user 1"}'])
  expect(await get('1')).toEqual([429, expect.stringMatching(/^(?:1000|9\d\d)$/), ''])
})
