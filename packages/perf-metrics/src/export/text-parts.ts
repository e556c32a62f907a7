/** What the text formats have in common: metadata, names, labels, bounds and exemplars. */
import type { Exemplar } from '../instrument/exemplars.ts'
import type { Family } from '../instrument/family.ts'
import type { Series } from '../instrument/series.ts'
import { escapeLabelName, escapeMetricName } from '../metric/escaping.ts'
import { baseName, isLegacyLabelName, isLegacyMetricName } from '../metric/name.ts'
import type { TextFormat } from './exposition-format.ts'

/** The lines before a family's samples. */
export function metadata(family: Family, format: TextFormat): string {
  const { type, help, unit } = family.description
  const name = familyName(family, format)
  const shown = isLegacyMetricName(name) ? name : quoted(name)
  const kind = type === 'updown' ? 'gauge' : type
  if (format.kind === 'prometheus') {
    return `# HELP ${shown} ${escapedHelp(help)}\n# TYPE ${shown} ${kind}\n`
  }
  const unitLine =
    unit !== '' && baseName(name).endsWith(`_${unit}`) ? `# UNIT ${shown} ${unit}\n` : ''
  return `# TYPE ${shown} ${kind}\n${unitLine}# HELP ${shown} ${escaped(help)}\n`
}

/** OpenMetrics 1.0 names the family of a counter without `_total`; in the other formats it is called as its samples. */
export function familyName(family: Family, format: TextFormat): string {
  const { name, type } = family.description
  if (type !== 'counter') return escapeMetricName(name, format.escaping)
  const exported = escapeMetricName(`${baseName(name)}_total`, format.escaping)
  return format.kind === 'openmetrics' ? baseName(exported) : exported
}

/** The labels as they stand before `=`. */
export function labelNames(family: Family, format: TextFormat): string[] {
  return family.description.labelNames.map(label => {
    const exported = escapeLabelName(label, format.escaping)
    return isLegacyLabelName(exported) ? exported : quoted(exported)
  })
}

/** `name="value"` for each label, with commas between them. */
export function labelText(names: readonly string[], { labelValues }: Series): string {
  let text = ''
  for (let i = 0; i < names.length; i++) {
    text += `${i === 0 ? '' : ','}${names[i]}="${escaped(labelValues[i]!)}"`
  }
  return text
}

/** A sample up to its value. */
export function sample(name: string, pairs: readonly string[]): string {
  if (isLegacyMetricName(name)) return pairs.length === 0 ? name : `${name}{${pairs.join(',')}}`
  return `{${[quoted(name), ...pairs].join(',')}}`
}

/** The bound of a classic bucket. OpenMetrics wants the canonical float, which has a decimal point. */
export function bound(value: number, { kind }: TextFormat): string {
  if (value === Infinity) return '+Inf'
  return kind !== 'prometheus' && Number.isInteger(value) && value < 1e6
    ? `${value}.0`
    : String(value)
}

/** An example after the value it is one of; nothing where there is none. */
export function exemplarText(exemplar: Exemplar | undefined): string {
  if (exemplar === undefined) return ''
  const { traceId, spanId, value, timestamp } = exemplar
  return ` # {trace_id="${traceId}",span_id="${spanId}"} ${value} ${timestamp / 1000}`
}

function quoted(name: string): string {
  return `"${escaped(name)}"`
}

function escaped(value: string): string {
  return value.replace(/[\\\n"]/g, c => (c === '\n' ? '\\n' : `\\${c}`))
}

function escapedHelp(help: string): string {
  return help.replace(/[\\\n]/g, c => (c === '\n' ? '\\n' : '\\\\'))
}
