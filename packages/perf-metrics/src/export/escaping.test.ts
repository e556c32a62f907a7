import { describe, expect, it } from 'vitest'
import { metricFamilies } from '../bytes/definitions.fixture.ts'
import { Registry } from '../index.ts'
import { type Escaping, escapeLabelName, escapeMetricName } from '../metric/escaping.ts'

const PROTOBUF =
  'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited'
const FORMATS = {
  protobuf: PROTOBUF,
  'OpenMetrics 1.0': 'application/openmetrics-text;version=1.0.0',
  'OpenMetrics 2.0': 'application/openmetrics-text;version=2.0.0',
  'text 1.0.0': 'text/plain;version=1.0.0',
}
/** The name of a counter, and of its label, as each scheme has them. */
const NAMES: Readonly<Record<Escaping, readonly [metric: string, label: string]>> = {
  'allow-utf-8': ['utf.8 näme_total', 'die.größe'],
  underscores: ['utf_8_n_me_total', 'die_gr__e'],
  dots: ['utf_dot_8__n__me__total', 'die_dot_gr____e'],
  values: ['U__utf_2e_8_20_n_e4_me__total', 'U__die_2e_gr_f6__df_e'],
}

function registry(): Registry {
  const metrics = new Registry({ openMetrics2: true })
  metrics.counter('utf.8 näme', { labels: ['die.größe'] }).inc({ 'die.größe': 'a' })
  return metrics
}

/** Name and label of the only series in an exposition. */
function namesIn(contentType: string, body: Uint8Array): [string, string] {
  if (contentType.startsWith('application/vnd.google.protobuf')) {
    const [family] = metricFamilies(body)
    return [family.name, family.metric[0].label[0].name]
  }
  const line = Buffer.from(body)
    .toString()
    .split('\n')
    .find(text => text !== '' && !text.startsWith('#'))!
  const quoted = /^\{"([^"]+)","?([^"=]+)"?=/.exec(line)
  const bare = /^([^{]+)\{([^=]+)=/.exec(line)
  const [, name = '', label = ''] = quoted ?? bare ?? []
  return [name, label]
}

describe('names in an exposition', () => {
  for (const [format, accept] of Object.entries(FORMATS)) {
    it.each(Object.entries(NAMES))(`of ${format} follow escaping=%s`, async (escaping, names) => {
      const { contentType, body } = await registry().scrape({
        accept: `${accept};escaping=${escaping}`,
      })
      expect(contentType).toContain(`; escaping=${escaping}`)
      expect(namesIn(contentType, body)).toEqual(names)
    })

    it(`of ${format} have underscores where the scraper does not say`, async () => {
      const { contentType, body } = await registry().scrape({ accept })
      expect(contentType).not.toContain('escaping')
      expect(namesIn(contentType, body)).toEqual(NAMES.underscores)
    })
  }

  it('stand in no quotes for a version that knows none', async () => {
    for (const accept of [
      'text/plain;version=0.0.4',
      'application/openmetrics-text;version=0.0.1',
    ]) {
      const { contentType, body } = await registry().scrape({
        accept: `${accept};escaping=allow-utf-8`,
      })
      expect(namesIn(contentType, body)).toEqual(NAMES.underscores)
    }
  })
})

describe('escaping', () => {
  it('leaves names alone that everybody accepts', () => {
    for (const scheme of ['allow-utf-8', 'underscores', 'values', 'dots'] as const) {
      expect(escapeMetricName('a:b_c1', scheme)).toBe('a:b_c1')
      expect(escapeLabelName('a_c1', scheme)).toBe('a_c1')
    }
  })

  it('replaces a leading digit, colons in labels, and code points outside the first plane', () => {
    expect(escapeMetricName('1a', 'values')).toBe('U___31_a')
    expect(escapeMetricName('1a', 'dots')).toBe('__a')
    expect(escapeLabelName('a:b', 'values')).toBe('U__a_3a_b')
    expect(escapeMetricName('😀', 'values')).toBe('U___1f600_')
    expect(escapeMetricName('a_.b', 'values')).toBe('U__a___2e_b')
  })
})
