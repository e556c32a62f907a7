import { defineSuite, type Finding } from '../../define.ts'

export default defineSuite({
  name: 'cache-races',
  description:
    'A value loads while its source changes and the change is announced to the cache; another reader comes at any time. Every order in which these events can happen is run once, through the public API of each library. A race is lost if a reader who asks after the announcement gets the old value, if the old value stays in the cache, or if a caller fails although the source answered. Counts, not times; deterministic. `–`: the library has no such verb for a value that it loads.',
  versions: ['lru-cache', 'bentocache', 'cacheable'],
  async run({ wanted, progress }) {
    // Imported here, as every process that loads the suites would otherwise load the libraries.
    const { race, verbs } = await import('./race.ts')
    const { racers } = await import('./racers.ts')
    const { describeOutcomes, racesTable } = await import('./report.ts')
    const findings: Finding[] = []
    const cells: Record<string, Record<string, string>> = {}
    for (const verb of verbs.filter(wanted)) {
      const won: Record<string, number> = {}
      cells[verb] = {}
      for (const [library, open] of Object.entries(racers)) {
        progress(`cache-races: ${verb}, ${library}`)
        const racer = await open()
        const able = racer.changed[verb] !== undefined
        await racer.close?.()
        if (!able) continue
        const outcomes = await race(open, verb)
        const described = describeOutcomes(outcomes)
        cells[verb][library] = described.text
        won[library] = described.won
      }
      const { 'cache-core': ours, ...peers } = won
      for (const [peerName, peer] of Object.entries(peers)) {
        findings.push({
          case: verb,
          unit: '% of orders',
          better: 'more',
          ours: ours!,
          peer,
          peerName,
          goal: 1,
        })
      }
    }
    return { findings, details: racesTable(cells, Object.keys(racers)) }
  },
})
