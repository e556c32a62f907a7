import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Contender, type Context, defineCase, defineSuite } from '../../../define.ts'

const operations = 1000

function spin(milliseconds: number): string {
  const end = performance.now() + milliseconds
  while (performance.now() < end);
  return 'done'
}

const spinning = (milliseconds: number) => async (): Promise<Contender<string>> => ({
  operations,
  run: () => spin(milliseconds),
})

/** As much of the processor as `rounds` of some work take, however busy the machine is. */
const working = (rounds: number) => async (): Promise<Contender<string>> => ({
  operations,
  run() {
    let sum = 0
    for (let i = 0; i < rounds * 1_000_000; i++) sum = (sum * 31 + i) | 0
    return sum === 0 ? 'never' : 'done'
  },
})

const waiting = async (): Promise<Contender<string>> => ({
  operations,
  run: () => new Promise(resolve => setTimeout(() => resolve('done'), 20)),
})

const isDone = (result: string) => assert.equal(result, 'done')

/** Loops whose true figures are known, for the tests of the harness. */
export default defineSuite({
  name: 'timing',
  description: 'Loops of known duration.',
  versions: ['benny'],
  cases: [
    defineCase<string>({
      name: 'wall time',
      description: 'a loop that takes 2 ms, against one that takes 6 ms',
      unit: 'us/op',
      goal: { slow: 1.5 },
      limit: 100,
      ours: spinning(2),
      peers: { slow: spinning(6) },
      check: isDone,
    }),
    defineCase<string>({
      name: 'in turn',
      description: 'some work, against three times as much',
      unit: 'us CPU/op',
      quickRounds: 1,
      inTurn: true,
      ours: working(1),
      peers: { slow: working(3) },
      check: isDone,
    }),
    defineCase<string>({
      name: 'waiting, wall',
      description: 'a timer of 20 ms',
      unit: 'us/op',
      ours: waiting,
      peers: {},
      check: isDone,
    }),
    defineCase<string>({
      name: 'waiting, CPU',
      description: 'a timer of 20 ms',
      unit: 'us CPU/op',
      ours: waiting,
      peers: {},
      check: isDone,
    }),
    defineCase<number>({
      name: 'one at a time',
      description: 'asynchronous runs must not overlap',
      unit: 'ns/op',
      ours: async () => {
        let running = 0
        return {
          operations,
          async run() {
            const atOnce = ++running
            await new Promise(resolve => setImmediate(resolve))
            running--
            return atOnce
          },
        }
      },
      peers: {},
      check: atOnce => assert.equal(atOnce, 1),
    }),
    defineCase<string>({
      name: 'fixture',
      description: 'the pid that a server in another process answers with',
      unit: 'pid',
      async fixture() {
        const server = createServer((_, response) => response.end(String(process.pid)))
        await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
        return {
          value: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
          close: () => void server.close(),
        }
      },
      ours: async ({ fixture }: Context) => ({
        async measure() {
          const pid = await (await fetch(String(fixture))).text()
          return { value: Number(pid), result: String(process.pid) }
        },
      }),
      peers: {},
      check: pid => assert.notEqual(pid, ''),
    }),
  ],
})
