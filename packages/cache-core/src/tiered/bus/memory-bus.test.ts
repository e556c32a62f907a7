import { nextWarning } from '@millrace/testkit'
import { expect, test } from 'vitest'
import type { ListenerError } from '../../errors.ts'
import { MemoryChannel } from './memory-bus.ts'

test('a listener that throws keeps nothing from the others', async () => {
  const channel = new MemoryChannel()
  const [here, there] = [channel.connect(), channel.connect()]
  const heard: string[] = []
  const fail = (): never => {
    throw new Error('no')
  }
  there.subscribe({ onInvalidations: fail, onGap: fail })
  there.subscribe({ onInvalidations: () => heard.push('all'), onGap: () => heard.push('gap') })
  const warned = nextWarning<ListenerError>(({ listener }) => listener === 'onInvalidations')
  await here.publish([{ verb: 'delete', target: 'all', name: '' }])
  there.breakOff()
  expect(heard).toEqual(['all', 'gap'])
  expect(await warned).toMatchObject({ cause: { message: 'no' } })
})
