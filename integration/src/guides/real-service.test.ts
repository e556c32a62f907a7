import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { codeBlocks, testReadme } from '@millrace/testkit/vitest'
import { expect, test } from 'vitest'
import { patientCode } from './patient-code.fixture.ts'

const guide = new URL('../../../docs/real-service.md', import.meta.url)

testReadme(guide, { package: new URL('../../', import.meta.url), runnable: patientCode })

/** The guide's file without its client: an upstream that answers after the signal, and no limit of time that could pass before that. */
async function serviceUnderSignal(): Promise<string> {
  const [block] = codeBlocks(await readFile(guide, 'utf8'))
  const [service] = patientCode(block!.code).split('// A client of it.')
  const changes: readonly (readonly [string, string])[] = [
    [
      `response.end('{"name":"Ada"}')`,
      `(console.log('asked'), process.once('SIGTERM', () => setTimeout(() => response.end('{"name":"Ada"}'), 300)))`,
    ],
    [
      'request.resume().on(',
      `request.on('data', data => console.log(data.includes('/users/:id') || data.includes('http.request') ? 'spans sent' : '')).on(`,
    ],
  ]
  let code = service!
  for (const [from, to] of changes) {
    expect(code).toContain(from)
    code = code.replace(from, () => to)
  }
  return `${code}\nconsole.log(await app.listen({ port: 0, host: '127.0.0.1' }))\n`
}

test('SIGTERM lets a request under way finish, takes no new one, and sends its spans', async () => {
  const folder = join(import.meta.dirname, '../../.readme/sigterm')
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'service.ts'), await serviceUnderSignal())
  const child = spawn(process.execPath, ['--conditions=millrace-source', 'service.ts'], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  const printed = (pattern: RegExp) =>
    expect.poll(() => output, { timeout: 60_000 }).toMatch(pattern)
  try {
    await printed(/http:\S+/)
    const [url] = /http:\S+/.exec(output)!
    const answer = fetch(`${url}/users/1`).then(async response => [
      response.status,
      await response.text(),
    ])
    await printed(/asked/)
    child.kill('SIGTERM')
    expect(await answer).toEqual([200, '{"name":"Ada"}'])
    await printed(/spans sent/)
    // On a connection that it still has it says so; it takes no other.
    const late = await fetch(`${url}/healthz`).then(
      ({ status }) => status,
      () => 'refused',
    )
    expect([503, 'refused']).toContain(late)
  } finally {
    child.kill('SIGKILL')
    await once(child, 'exit')
    await rm(folder, { recursive: true })
  }
})
