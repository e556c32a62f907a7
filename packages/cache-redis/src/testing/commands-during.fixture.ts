import { once } from 'node:events'
import { Redis } from 'ioredis'

/** Names of the commands that clients sent while something happened, in their order: those of scripts are not among them. */
export async function commandsDuring(
  port: number,
  act: () => Promise<unknown>,
): Promise<readonly string[]> {
  const client = new Redis(port)
  // What is told in the same packet as that it monitors, ioredis does not expect.
  await client.ping()
  const monitor = await client.monitor()
  const names: string[] = []
  monitor.on('monitor', (_time: string, [name]: string[], source: string) => {
    if (source !== 'lua') names.push(name!.toLowerCase())
  })
  await act()
  // The server tells of commands in the order in which it carried them out, of those that others send meanwhile, too.
  await client.echo('end')
  const signal = AbortSignal.timeout(30_000)
  while (!names.includes('echo')) await once(monitor, 'monitor', { signal })
  monitor.disconnect()
  client.disconnect()
  return names.slice(0, names.indexOf('echo'))
}
