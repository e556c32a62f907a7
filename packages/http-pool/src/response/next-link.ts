/**
 * The target of the link with `rel="next"` (RFC 8288), resolved against the response's URL; undefined if there is none.
 */
export function nextLink(link: string | string[] | undefined, base: string): URL | undefined {
  const text = Array.isArray(link) ? link.join(',') : (link ?? '')
  // A target, then its parameters, of which quoted ones may hold commas and semicolons.
  for (const [, target, parameters] of text.matchAll(
    /<([^>]*)>((?:\s*;\s*[^\s=;,"]+(?:\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s;,"]+))?)*)/g,
  )) {
    const rel = /;\s*rel\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]+))/i.exec(parameters!)
    const types = (rel?.[1] ?? rel?.[2] ?? '').toLowerCase().split(/\s+/)
    if (types.includes('next')) return URL.parse(target!, base) ?? undefined
  }
  return undefined
}
