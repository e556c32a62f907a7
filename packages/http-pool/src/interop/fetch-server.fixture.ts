import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Answers what the cases ask for; `/open` says how many endless answers are under way. */
export async function startFetchServer(): Promise<{ base: string; server: Server }> {
  let open = 0
  const server = createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url!, 'http://localhost')
    if (pathname === '/redirect') {
      const left = Number(searchParams.get('count') ?? 0)
      const target = searchParams.get('location') ?? undefined
      searchParams.set('count', String(left - 1))
      const location = left > 1 ? `/redirect?${searchParams}` : target
      response.statusCode = Number(searchParams.get('status') ?? 302)
      if (location !== undefined) response.setHeader('location', location)
      response.end()
    } else if (pathname === '/endless') {
      open++
      response.on('close', () => open--)
      response.write('x')
    } else if (pathname === '/open') {
      response.end(String(open))
    } else if (pathname === '/status') {
      response.writeHead(Number(searchParams.get('code')), searchParams.get('text') ?? '').end()
    } else if (pathname === '/cut') {
      response.writeHead(200, { 'content-length': 100 })
      response.write('part')
      setTimeout(() => response.destroy(), 20)
    } else if (pathname === '/bytes') {
      const type = searchParams.get('type')
      if (type !== null) response.setHeader('content-type', type)
      response.end(Buffer.from(searchParams.get('hex') ?? '', 'hex'))
    } else if (pathname === '/fields') {
      response.setHeader('set-cookie', ['a=1', 'b=2'])
      response.setHeader('x-twice', ['one', 'two'])
      response.end()
    } else {
      let body = ''
      for await (const chunk of request) body += chunk
      const { headers, method, url } = request
      response.end(JSON.stringify({ method, url, headers, body }))
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { base: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server }
}
