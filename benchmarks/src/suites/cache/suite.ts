import assert from 'node:assert/strict'
import { defineCase, defineSuite } from '../../define.ts'

const contenders = () => import('./contenders/get-hit.ts')
const entries = 1000

export default defineSuite({
  name: 'cache',
  description:
    'Each figure is the median of 5 rounds, each in a process of its own, ours and the peers in turn. Keys are strings of about 20 characters.',
  versions: ['lru-cache', 'tiny-lru', 'quick-lru'],
  cases: [
    defineCase<number>({
      name: 'get, all hits',
      description: '`get` of each of 1,000 keys of a full cache, in order of insertion',
      unit: 'ns/op',
      ours: async context => (await contenders()).map(context),
      peers: {
        'lru-cache': async context => (await contenders()).lruCache(context),
        'tiny-lru': async context => (await contenders()).tinyLru(context),
        'quick-lru': async context => (await contenders()).quickLru(context),
      },
      check: sum => assert.equal(sum, (entries * (entries - 1)) / 2),
    }),
  ],
})
