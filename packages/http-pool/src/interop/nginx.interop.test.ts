import { freePort, selfSignedCertificate, UpstreamServer } from '@millrace/testkit'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { HttpPool, type HttpPoolOptions } from '../index.ts'
import { Load } from '../testing/load.fixture.ts'
import { Peer } from './peer.fixture.ts'

let nginx: Peer
let backend: UpstreamServer
let plain: string
let secure: string
let certificate: string
let pool: HttpPool | undefined

const config = (port: number, tlsPort: number, backendPort: number): string => `
daemon off;
worker_processes 1;
pid $FOLDER/nginx.pid;
error_log stderr warn;
events { worker_connections 512; }
http {
  access_log off;
  client_body_temp_path $FOLDER/body;
  proxy_temp_path $FOLDER/proxy;
  fastcgi_temp_path $FOLDER/fastcgi;
  uwsgi_temp_path $FOLDER/uwsgi;
  scgi_temp_path $FOLDER/scgi;
  keepalive_timeout 1s;
  keepalive_requests 50;
  default_type application/json;
  gzip on;
  gzip_types application/json;
  gzip_min_length 100;
  limit_req_zone $server_port zone=slow:1m rate=20r/s;
  server {
    listen 127.0.0.1:${port};
    location = /item { return 200 '{"from":"nginx"}'; }
    location = /worker { return 200 '$pid'; }
    location = /large { alias $FOLDER/large.json; }
    location = /moved { return 301 /item; }
    location = /cached { add_header Cache-Control "max-age=60"; return 200 '{"at":"$msec"}'; }
    location = /limited {
      limit_req zone=slow;
      limit_req_status 429;
      error_page 429 = @busy;
      try_files /limited.json =404;
      root $FOLDER;
    }
    location @busy { add_header Retry-After 1 always; return 429; }
  }
  server {
    listen 127.0.0.1:${tlsPort} ssl http2;
    keepalive_timeout 60s;
    keepalive_requests 1000;
    ssl_certificate $FOLDER/cert.pem;
    ssl_certificate_key $FOLDER/key.pem;
    location = /item { return 200 '{"protocol":"$server_protocol"}'; }
    location = /proxied {
      proxy_pass http://127.0.0.1:${backendPort};
      proxy_http_version 1.1;
      proxy_buffering off;
    }
  }
}
`

beforeAll(async () => {
  const { key, cert } = selfSignedCertificate()
  const [port, tlsPort] = [await freePort(), await freePort()]
  backend = await UpstreamServer.start()
  certificate = cert
  plain = `http://127.0.0.1:${port}`
  secure = `https://127.0.0.1:${tlsPort}`
  nginx = await Peer.start(
    'nginx',
    {
      'nginx.conf': config(port, tlsPort, backend.port),
      'cert.pem': cert,
      'key.pem': key,
      'large.json': JSON.stringify(Array.from({ length: 20_000 }, (_, id) => ({ id }))),
      'limited.json': '{"ok":true}',
    },
    folder => ['-p', folder, '-c', `${folder}/nginx.conf`],
    port,
  )
})

afterEach(() => pool?.destroy())
afterAll(async () => {
  await nginx.stop()
  await backend.kill()
})

function makePool(options: HttpPoolOptions = {}): HttpPool {
  pool = new HttpPool({ allowH2: true, tls: { ca: certificate }, ...options })
  return pool
}

describe('nginx', () => {
  // In real time: what is shown is that the server's close and the next request meet.
  test('closes connections after 50 requests and after 1 s: no call notices', async () => {
    const client = makePool({ retry: { maxAttempts: 1 }, connectionsPerHost: 8 })
    const worker = async (index: number) => {
      for (let i = 0; i < 250; i++) {
        expect(await client.json(`${plain}/item`)).toEqual({ from: 'nginx' })
        if (i % 100 === index) await new Promise(resolve => setTimeout(resolve, 990 + index * 4))
      }
    }
    await Promise.all(Array.from({ length: 8 }, (_, index) => worker(index)))
    expect(client.stats()).toMatchObject({ requests: 2_000, pending: 0, deadlines: 0 })
    expect(client.stats().created).toBeGreaterThanOrEqual(40)
  })

  test('compresses, and the pool unpacks', async () => {
    const list = await makePool({ decompress: true }).json<unknown[]>(`${plain}/large`)
    expect(list).toHaveLength(20_000)
    const { headers, body } = await pool!.request(`${plain}/large`, {
      headers: { 'accept-encoding': 'identity' },
    })
    expect(headers['content-encoding']).toBeUndefined()
    expect((await body.bytes()).length).toBe(Number(headers['content-length']))
  })

  test('redirects', async () => {
    expect(await makePool().json(`${plain}/moved`)).toEqual({ from: 'nginx' })
  })

  test('says how long a response is fresh', async () => {
    const client = makePool({ cache: true })
    const first = await client.json(`${plain}/cached`)
    // A response is kept after its caller has it.
    await new Promise(setImmediate)
    expect(await client.json(`${plain}/cached`)).toEqual(first)
    expect(client.stats().requests).toBe(1)
  })

  test('limits with 429 and Retry-After: all calls succeed in the end', async () => {
    const client = makePool({ retry: { maxAttempts: 100, baseDelay: 200, budgetFloor: 1e6 } })
    const call = () => client.json(`${plain}/limited`)
    // On a busy machine they may come so far apart that all are let through.
    while (client.stats().retries === 0) {
      const all = await Promise.all(Array.from({ length: 5 }, call))
      expect(all).toEqual(Array(5).fill({ ok: true }))
    }
  })

  test('speaks HTTP/2 over TLS on one connection', async () => {
    const client = makePool()
    const all = await Promise.all(Array.from({ length: 100 }, () => client.json(`${secure}/item`)))
    expect(all).toEqual(Array(100).fill({ protocol: 'HTTP/2.0' }))
    expect(client.stats().created).toBeLessThanOrEqual(3)
  })

  test('resets the HTTP/2 stream of a backend that breaks off: no cut body passes for whole', async () => {
    const client = makePool({ retry: { baseDelay: 1 } })
    const text = JSON.stringify({ some: 'text' })
    const chunked = { body: text, headers: { 'content-length': undefined } }
    for (let offset = 1; offset <= text.length; offset++) {
      backend.on('/proxied', { ...chunked, resetAfter: offset }, chunked)
      const { body } = await client.request(`${secure}/proxied`, { retry: false })
      await expect(body.text()).rejects.toMatchObject({ code: 'ERR_HTTP2_STREAM_ERROR' })
      backend.on('/proxied', { ...chunked, resetAfter: offset }, chunked)
      expect(await client.json(`${secure}/proxied`)).toEqual({ some: 'text' })
    }
    expect(client.stats()).toMatchObject({ created: 1, retries: text.length, pending: 0 })
  })

  test('reloads its configuration under load: no call notices', async () => {
    const client = makePool({ connectionsPerHost: 8 })
    const load = new Load(8, () => client.json(`${plain}/item`))
    const worker = () => client.json<number>(`${plain}/worker`)
    for (let i = 0; i < 3; i++) {
      await load.goesOn(100)
      const before = await worker()
      nginx.signal('SIGHUP')
      await expect.poll(worker).not.toBe(before)
    }
    await load.goesOn(100)
    await load.stop()
    expect(load.failures).toEqual([])
  })

  test('restarts under load: retries bridge the gap', async () => {
    const client = makePool({
      connectionsPerHost: 8,
      retry: {
        maxAttempts: 1_000,
        baseDelay: 50,
        maxDelay: 500,
        budgetFloor: 1e6,
        hostTokens: 1e6,
      },
    })
    const load = new Load(8, () => client.json(`${plain}/item`))
    await load.goesOn(100)
    const { retries } = client.stats()
    await nginx.end('SIGTERM')
    await expect.poll(() => client.stats().retries).toBeGreaterThanOrEqual(retries + 8)
    await nginx.run()
    await load.goesOn(100)
    await load.stop()
    expect(load.failures).toEqual([])
    expect(client.stats()).toMatchObject({ pending: 0, queued: 0, deadlines: 0 })
  })
})
