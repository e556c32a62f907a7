import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { VirtualClock } from '@millrace/testkit'
import { describe, expect, it } from 'vitest'
import { Registry } from '../index.ts'
import { ClusterReceiver, ClusterSender, type DeltaMessage } from '../workers.ts'

async function reporting(receiver: ClusterReceiver): Promise<ChildProcess> {
  const file = fileURLToPath(new URL('./reporting-process.fixture.ts', import.meta.url))
  const child = fork(file, [], {
    execArgv: ['--conditions=millrace-source', '--disable-warning=ExperimentalWarning'],
  })
  receiver.attach(child)
  await heard(child, 'ready')
  return child
}

function heard(child: ChildProcess, word: string): Promise<void> {
  return new Promise(resolve => {
    child.on('message', function listen(message) {
      if (message !== word) return
      child.off('message', listen)
      resolve()
    })
  })
}

async function work(child: ChildProcess): Promise<void> {
  const worked = heard(child, 'worked')
  child.send('work')
  await worked
}

describe('child processes', () => {
  it('add up in their parent, and no sum falls when one is killed and replaced', async () => {
    const metrics = new Registry()
    const receiver = new ClusterReceiver(metrics)
    const [a, b] = await Promise.all([reporting(receiver), reporting(receiver)])
    await work(a!)
    await work(a!)
    await work(b!)
    const text = metrics.toPrometheus()
    expect(text).toContain('requests_total{status="ü|200"} 30\n')
    expect(text).toContain('size_bucket{le="10"} 30\nsize_bucket{le="+Inf"} 60\n')
    expect(text).toContain('open 9\n')
    expect(text).toContain('memory_bytes 200\n')
    const crashed = once(a!, 'exit')
    a!.send('crash')
    await crashed
    const c = await reporting(receiver)
    await work(c)
    const after = metrics.toPrometheus()
    expect(after).toContain('requests_total{status="ü|200"} 40\n')
    expect(after).toContain('size_count 80\n')
    expect(after).toContain('open 6\n')
    expect(after).toContain('memory_bytes 200\n')
    for (const child of [b!, c]) {
      const exited = once(child, 'exit')
      child.kill()
      await exited
    }
    expect(metrics.toPrometheus()).toContain('memory_bytes 0\n')
  })

  it('say nothing while nothing changes, and describe a metric once', () => {
    const clock = new VirtualClock()
    const metrics = new Registry({ clock })
    const messages: DeltaMessage[] = []
    const sender = new ClusterSender(metrics, { clock, send: message => messages.push(message) })
    const counter = metrics.counter('x_total')
    clock.advance(5000)
    expect(messages).toHaveLength(1)
    counter.inc(3)
    clock.advance(5000)
    expect(messages.slice(1)).toEqual([
      {
        channel: 'millrace:metrics',
        families: [],
        series: [{ family: 0, labelValues: [], value: 3 }],
      },
    ])
    counter.inc(4)
    sender.close()
    expect(messages[2]!.series[0]!.value).toBe(4)
    clock.advance(5000)
    expect(messages).toHaveLength(3)
  })

  it('need a parent', () => {
    expect(() => new ClusterSender(new Registry(), { send: undefined, interval: 1 })).toThrow(
      'Expected `interval` to be a finite number of at least 50',
    )
  })
})
