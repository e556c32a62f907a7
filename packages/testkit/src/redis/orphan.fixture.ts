import { RedisServer } from './redis-server.ts'

/** A run that dies with servers open, one of them paused: prints their process ids and then waits to be killed. */
const servers = await Promise.all([RedisServer.start(), RedisServer.start()])
servers[1]!.pause()
console.log(servers.map(server => server.pid).join(' '))
setInterval(() => undefined, 60_000)
