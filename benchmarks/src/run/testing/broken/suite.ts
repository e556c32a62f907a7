import assert from 'node:assert/strict'
import { type Contender, defineCase, defineSuite, type Loop } from '../../../define.ts'

const broken = (name: string, make: () => Contender<number>) =>
  defineCase<number>({
    name,
    description: name,
    unit: 'ns/op',
    ours: async () => make(),
    peers: {},
    timeout: 2000,
    check: result => assert.equal(result, 1, 'wrong result'),
  })

const loop = (run: Loop<number>['run'], operations = 1000): Loop<number> => ({ operations, run })

/** The twentieth run fails; the first ones do not. */
function later(fail: () => number | Promise<number>): Loop<number>['run'] {
  let runs = 0
  return () => (++runs < 20 ? 1 : fail())
}

/** Cases that must fail, for the tests of the harness. */
export default defineSuite({
  name: 'broken',
  description: 'Cases that must fail.',
  versions: [],
  cases: [
    broken('wrong result', () => loop(() => 2)),
    broken('wrong result later', () => loop(later(() => 2))),
    broken('throws later', () =>
      loop(
        later(() => {
          throw new Error('broke')
        }),
      ),
    ),
    broken('rejects later', () => {
      const run = later(() => Promise.reject(new Error('broke')))
      return loop(async () => run())
    }),
    broken('too few operations', () => loop(() => 1, 10)),
    { ...broken('wrong result in turn', () => loop(later(() => 2))), inTurn: true },
    broken('never ends', () => loop(() => new Promise(() => setInterval(() => undefined, 1000)))),
    broken('exits', () => loop(() => process.exit(3))),
  ],
})
