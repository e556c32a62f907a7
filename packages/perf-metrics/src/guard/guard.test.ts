import { VirtualClock } from '@millrace/testkit'
import { describe, expect, it } from 'vitest'
import { Guard, type Rule, type RuleStatus } from '../guard.ts'
import { Registry } from '../index.ts'
import { watch } from './watch.fixture.ts'

describe('a guard', () => {
  it('says once which metrics its rules name in vain', async () => {
    const warnings: Error[] = []
    const listen = (warning: Error) => warnings.push(warning)
    process.on('warning', listen)
    const { run } = watch({ name: 'A', type: 'threshold', metric: 'missspelt', above: 1 })
    run(60, () => {})
    await new Promise(resolve => setImmediate(resolve))
    process.off('warning', listen)
    expect(warnings.map(String)).toEqual(['Warning: Rule A: there is no metric "missspelt" yet'])
  })

  it('reports what a callback throws and goes on', async () => {
    const clock = new VirtualClock(1_000_000)
    const metrics = new Registry({ clock })
    metrics.gauge('g').set(5)
    const failures: [unknown, RuleStatus][] = []
    using guard = new Guard(metrics, {
      clock,
      rules: [{ name: 'G', type: 'threshold', metric: 'g', above: 1, for: 0 }],
      onTrip: async () => {
        throw new Error('rollback failed')
      },
      onError: (error, status) => failures.push([error, status]),
    })
    await new Promise(resolve => setImmediate(resolve))
    expect(failures).toMatchObject([[{ message: 'rollback failed' }, { rule: { name: 'G' } }]])
    expect(guard.stats()).toMatchObject({ rules: 1, tripped: 1, trips: 1 })
  })

  it.each([
    [
      { name: 'a b', type: 'threshold', metric: 'x', above: 1 },
      'Expected `rule.name` to be letters',
    ],
    [{ name: 'A', type: 'threshold', metric: 'x' }, 'Expected `A.above` to be given, or `below`'],
    [
      { name: 'A', type: 'threshold', metric: 'x', above: 1, window: 5 },
      'Expected `A.window` to be one of 60000, 300000, 900000, got a positive integer of 1 digit',
    ],
    [
      { name: 'A', type: 'burn-rate', objective: 1, errors: { metric: 'e' }, total: [] },
      'Expected `A.objective` to be a number from 0.5 to 0.999999, got a positive integer of 1 digit',
    ],
    [{ name: 'A', type: 'treshold', metric: 'x', above: 1 }, 'Expected `A.type` to be one of'],
    [{ name: 'A', type: 'leak', metric: 'x', windw: 1 }, 'did you mean `window`?'],
    [{ name: 'A', type: 'leak', metric: '' }, 'Expected `A.metric` to be a string'],
    [
      { name: 'A', type: 'threshold', metric: 'x', above: NaN },
      'Expected `A.above` to be a number',
    ],
    [
      { name: 'A', type: 'ratio', numerator: { metric: 'x' }, denominator: [], above: 1 },
      'Expected `A.denominator` to be an array of at least one selector',
    ],
    [
      {
        name: 'A',
        type: 'burn-rate',
        objective: 0.9,
        errors: { metric: 'e' },
        total: [{ metric: 't' }],
        windows: [],
      },
      'Expected `A.windows` to be an array of at least one pair',
    ],
    [
      { name: 'A', type: 'regression', metric: 'x', alpha: NaN },
      'Expected `A.alpha` to be a number from',
    ],
  ] as [Rule, string][])('refuses %j', (rule, message) => {
    expect(() => new Guard(new Registry(), { rules: [rule] })).toThrow(message)
  })
})
