import { type ChildProcess, fork } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { runs, VirtualClock } from '@millrace/testkit'
import fc from 'fast-check'
import { afterAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { Registry } from '../index.ts'
import {
  ClusterReceiver,
  ClusterSender,
  type DeltaMessage,
  type MessageSource,
} from '../workers.ts'

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
        sender: messages[0]!.sender,
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

  it('go on without their parent', async () => {
    const child = await reporting(new ClusterReceiver(new Registry()))
    const exited = once(child, 'exit')
    child.disconnect()
    expect(await exited).toEqual([0, null])
  })

  it('need a parent', () => {
    expect(() => new ClusterSender(new Registry(), { send: undefined, interval: 1 })).toThrow(
      'Expected `interval` to be a finite number of at least 50',
    )
  })
})

/** A child's messages, as the channel delivers them. */
class Channel extends EventEmitter implements MessageSource {
  readonly send = (message: unknown): void => {
    this.emit('message', JSON.parse(JSON.stringify(message)))
  }
}

describe('child processes of several kinds', () => {
  const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
  beforeEach(() => void warn.mockClear())
  afterAll(() => void warn.mockRestore())

  function child(receiver: ClusterReceiver) {
    const channel = new Channel()
    receiver.attach(channel)
    const clock = new VirtualClock()
    const metrics = new Registry({ clock })
    return { clock, metrics, sender: new ClusterSender(metrics, { clock, send: channel.send }) }
  }

  it('leave out a metric that the parent defines otherwise, and no other', () => {
    const metrics = new Registry()
    const receiver = new ClusterReceiver(metrics)
    const [a, b] = [child(receiver), child(receiver)]
    for (const { metrics } of [a, b]) metrics.counter('before_total').inc()
    a.metrics.histogram('mixed').observe(1)
    b.metrics.gauge('mixed').set(5)
    a.metrics.histogram('sizes', { buckets: [1, 2] }).observe(1)
    b.metrics.histogram('sizes', { buckets: [1, 3] }).observe(1)
    a.metrics.counter('labelled_total', { labels: ['a'] }).inc({ a: 'x' })
    b.metrics.counter('labelled_total', { labels: ['b'] }).inc({ b: 'x' })
    for (const { metrics } of [a, b]) metrics.counter('after_total').inc()
    for (let round = 0; round < 2; round++) for (const { sender } of [a, b]) sender.flush()
    const text = metrics.toPrometheus()
    expect(text).toContain('before_total 2\n')
    expect(text).toContain('after_total 2\n')
    expect(text).toContain('mixed_count 1\n')
    expect(text).toContain('sizes_count 1\n')
    expect(text).toContain('labelled_total{a="x"} 1\n')
    expect(receiver.stats()).toEqual({ received: 2, conflicts: 3 })
    expect(warn).toHaveBeenCalledTimes(3)
    expect(warn.mock.calls[0]![0]).toContain('Metric "mixed" is a histogram already, not a gauge')
  })

  it('are counted once, however often they are attached', () => {
    const metrics = new Registry()
    const receiver = new ClusterReceiver(metrics)
    const channel = new Channel()
    for (let i = 0; i < 3; i++) receiver.attach(channel)
    const registry = new Registry()
    registry.counter('x_total').inc(5)
    new ClusterSender(registry, { send: channel.send }).close()
    expect(metrics.toPrometheus()).toContain('x_total 5\n')
    expect(receiver.stats().received).toBe(1)
  })

  it('are kept apart where one process has several', () => {
    const metrics = new Registry()
    const receiver = new ClusterReceiver(metrics)
    const channel = new Channel()
    receiver.attach(channel)
    for (const name of ['first', 'second']) {
      const registry = new Registry()
      registry.counter(`${name}_total`).inc()
      registry.gauge(`${name}_size`).set(2)
      new ClusterSender(registry, { send: channel.send }).close()
    }
    const text = () => metrics.toPrometheus()
    expect(text()).toContain('first_total 1\n')
    expect(text()).toContain('second_total 1\n')
    expect(text()).toContain('second_size 2\n')
    channel.emit('exit')
    expect(text()).toContain('first_size 0\n')
    expect(text()).toContain('second_size 0\n')
  })

  it('count on from zero after a series was removed', () => {
    const metrics = new Registry()
    const { clock, metrics: local, sender } = child(new ClusterReceiver(metrics))
    const counter = local.counter('c_total', { labels: ['a'] })
    const histogram = local.histogram('h', { labels: ['a'], buckets: [10] })
    const handles = [counter.labels({ a: 'x' }), histogram.labels({ a: 'x' })] as const
    handles[0].inc(5)
    for (let i = 0; i < 5; i++) handles[1].observe(1)
    sender.flush()
    counter.remove({ a: 'x' })
    histogram.remove({ a: 'x' })
    clock.advance(1)
    handles[0].inc(2)
    handles[1].observe(100)
    sender.flush()
    const text = metrics.toPrometheus()
    expect(text).toContain('c_total{a="x"} 7\n')
    expect(text).toContain('h_count{a="x"} 6\n')
    expect(text).toContain('h_sum{a="x"} 105\n')
  })

  it('send infinite gauges', () => {
    const metrics = new Registry()
    const { metrics: local, sender } = child(new ClusterReceiver(metrics))
    local.gauge('up').set(Infinity)
    local.gauge('down').set(-Infinity)
    sender.flush()
    expect(metrics.gauge('up').value).toBe(Infinity)
    expect(metrics.gauge('down').value).toBe(-Infinity)
  })

  it('cannot harm the parent, whatever they send', () => {
    const description = {
      name: 'x_total',
      type: 'counter',
      help: '',
      unit: '',
      labelNames: ['a'],
      maxSeries: 1,
      aggregate: 'sum',
      buckets: [],
    }
    const anything = fc.oneof(
      fc.anything(),
      fc.constantFrom(null, description, { ...description, type: 'histogram', buckets: [1] }),
      fc.record({
        family: fc.nat(2),
        labelValues: fc.oneof(fc.anything(), fc.constantFrom(['x'], [])),
        value: fc.oneof(
          fc.anything(),
          fc.record({ distribution: fc.anything(), classic: fc.anything() }),
        ),
      }),
    )
    fc.assert(
      fc.property(fc.array(anything), fc.array(anything), (families, series) => {
        const metrics = new Registry()
        const channel = new Channel()
        new ClusterReceiver(metrics).attach(channel)
        channel.emit('message', { channel: 'millrace:metrics', sender: 1, families, series })
        expect(metrics.toPrometheus()).not.toContain('NaN')
      }),
      { numRuns: runs(200) },
    )
  })
})
