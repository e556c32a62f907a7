import { createServer } from 'node:http'
import { HttpPool } from '@millrace/http-pool'

const server = createServer((_request, response) => response.end('{"ok":true}'))
await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
const { port } = server.address() as { port: number }
const pool = new HttpPool({ connectionsPerHost: 2 })
const body = await pool.json<{ ok: boolean }>(`http://127.0.0.1:${port}/`)
await pool.close()
server.close()
if (!body.ok) throw new Error('http-pool does not work')
