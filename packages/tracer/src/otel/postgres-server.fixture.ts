import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, globSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '@millrace/testkit'

/** A PostgreSQL server of its own, from the newest version that is installed; it ends with the test. */
export class PostgresServer implements AsyncDisposable {
  readonly port: number
  readonly #end: () => Promise<void>

  private constructor(port: number, end: () => Promise<void>) {
    this.port = port
    this.#end = end
  }

  static async start(): Promise<PostgresServer> {
    const bin = globSync('/usr/lib/postgresql/*/bin').sort().at(-1)
    if (bin === undefined) throw new Error('PostgreSQL is missing (Debian: postgresql)')
    const folder = await mkdtemp(join(tmpdir(), 'millrace-postgres-'))
    // The server refuses to run as root.
    const user = process.getuid?.() === 0 ? postgresUser() : undefined
    if (user !== undefined) chownSync(folder, user.uid, user.gid)
    const data = join(folder, 'data')
    execFileSync(
      join(bin, 'initdb'),
      ['-D', data, '-U', 'test', '--auth=trust', '--no-sync', '-E', 'UTF8'],
      { ...user, cwd: folder, stdio: 'ignore' },
    )
    const port = await freePort()
    const server = spawn(
      join(bin, 'postgres'),
      ['-D', data, '-p', String(port), '-h', '127.0.0.1', '-k', folder, '-F'],
      { ...user, cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] },
    )
    const end = async () => {
      if (server.exitCode === null) {
        server.kill('SIGINT')
        await once(server, 'exit')
      }
      await rm(folder, { recursive: true })
    }
    let log = ''
    for await (const part of server.stderr) {
      log += part
      if (log.includes('ready to accept connections')) return new PostgresServer(port, end)
    }
    await end()
    throw new Error(`PostgreSQL did not start: ${log}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end()
  }
}

function postgresUser(): { uid: number; gid: number } {
  const entry = /^postgres:[^:]*:(\d+):(\d+):/m.exec(readFileSync('/etc/passwd', 'utf8'))
  if (entry === null)
    throw new Error('PostgreSQL does not run as root, and there is no user postgres')
  return { uid: Number(entry[1]), gid: Number(entry[2]) }
}
