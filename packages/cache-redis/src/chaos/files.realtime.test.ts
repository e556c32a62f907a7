import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { FaultProxy, runs } from '@millrace/testkit'
import { describeRedis } from '@millrace/testkit/vitest'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { expectSound } from './expect-sound.fixture.ts'
import { Fleet } from './fleet.fixture.ts'
import type { Trouble } from './troubled-store.fixture.ts'

/** ms of a round: calls that were given up have as long again to do what they were told. */
const ROUND = 900

describeRedis('Four processes on a bus of Redis', redis => {
  describe.each(['sqlite', 'fs'] as const)('that keep what they load in one %s store', kind => {
    let place: string
    let proxy: FaultProxy
    let fleet: Fleet
    beforeAll(async () => {
      place = await mkdtemp(join(tmpdir(), 'millrace-fleet-'))
      proxy = await FaultProxy.start({ target: redis.server.port })
      const near = { connection: { port: redis.server.port } }
      const far = { connection: { port: proxy.port } }
      fleet = await Fleet.start([far, near, far, near], { kind, place })
    })
    afterAll(async () => {
      await fleet?.stop()
      await proxy.stop()
      await rm(place, { recursive: true, force: true })
    })

    /** One process has the trouble at once, another one later, and the first has it no more while the other still does. */
    async function inTurn(trouble: Trouble): Promise<void> {
      fleet.trouble(0, trouble)
      await sleep(ROUND / 4)
      fleet.trouble(1, trouble)
      await sleep(ROUND / 4)
      fleet.trouble(0, 'none')
      await sleep(ROUND / 4)
      fleet.trouble(1, 'none')
    }

    const troubles: Trouble[] = ['is slow', 'fails', 'does it, then fails', 'hangs', 'lands late']
    test.each(troubles)(
      'pass no deadline and serve nothing outdated when it %s for some of them',
      async trouble => {
        const reports = await fleet.round(runs(ROUND), () => inTurn(trouble))
        expectSound(reports, await fleet.settled())
      },
    )

    test('serve nothing outdated when it hangs for all, and the bus is cut off beside it', async () => {
      const reports = await fleet.round(runs(ROUND), async () => {
        for (const index of [0, 1, 2, 3]) fleet.trouble(index, 'hangs')
        proxy.refuse()
        proxy.cut()
        await sleep(ROUND / 3)
        for (const index of [0, 1, 2, 3]) fleet.trouble(index, 'none')
        await proxy.heal()
      })
      expectSound(reports, await fleet.settled())
    })

    test('serve nothing outdated when one of them is killed while it hangs for another', async () => {
      const reports = await fleet.round(
        runs(ROUND),
        async () => {
          fleet.trouble(0, 'lands late')
          await sleep(Math.random() * ROUND * 0.5)
          await fleet.replace(3)
          fleet.trouble(0, 'none')
        },
        3,
      )
      expectSound(reports, await fleet.settled())
    })
  })
})
