import { type CustomRun, defineSuite, type Finding } from '../../define.ts'

/** What is asked: at most one trip in so many evaluations where nothing is wrong, and a step found in so many of the runs. */
const EVALUATIONS = 10_000
const FOUND = 95

export default defineSuite({
  name: 'guards',
  description:
    'The rules of `Guard` in simulated services: a real guard over a real registry, on a virtual clock, evaluated every 10 s. False ' +
    'trips are those in 10,000 evaluations on load at which nothing is wrong, of 20,000 that were made. A deploy makes every duration longer at once, at 100 ' +
    'requests/s after two hours, and counts as found where the rule has tripped 5 minutes later, of which one minute is its `for`. ' +
    'Where load wanders by itself as much as the step, or a tail is too heavy for its quantile to be known in 5 minutes, no rule can ' +
    'have both: the table of the power shows which steps are found.',
  versions: [],
  async run(context): Promise<CustomRun> {
    const { falseTrips, foundFaults, powerOf } = await import('./measure.ts')
    const findings: Finding[] = []
    for (const { name, trips } of falseTrips(context, EVALUATIONS)) {
      findings.push({
        case: name,
        unit: 'trips',
        better: 'less',
        ours: trips,
        peer: 1,
        peerName: 'limit',
        goal: 1,
      })
    }
    for (const { name, found } of foundFaults(context)) {
      findings.push({
        case: name,
        unit: '% of runs',
        better: 'more',
        ours: found,
        peer: FOUND,
        peerName: 'limit',
        goal: 1,
      })
    }
    return { findings, details: powerOf(context) }
  },
})
