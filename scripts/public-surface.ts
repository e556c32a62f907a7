/** What an export declares, in the words of api-extractor: `export class Cache<K, V> {`. */
const EXPORTS =
  /^export (?:\{ |(?:(?:abstract|declare) )*(?:class|interface|type|const|function|enum|namespace) )(\w+)/m
const DECLARES =
  /^(?:(?:abstract|declare) )*(?:class|interface|type|const|function|enum|namespace) (\w+)/m
/** An export by more names than one: they follow what is declared. */
const RENAMES = /^export \{ \w+(?: as \w+)? \}$/m
/** Up to what a class or an interface inherits from. */
const INHERITS =
  /^(export (?:(?:abstract|declare) )*(?:class|interface) \w+(?:<.*>)?) (?:extends|implements) .*\{$/m

export interface PublicSurface {
  /** What each entry exports. */
  readonly exported: readonly string[]
  /** What exports inherit without its being exported itself: members that users have, too. */
  readonly inherited: string
  /** Names that stand in the signature of an export while no entry exports them. */
  readonly missing: readonly string[]
}

/**
 * Sorts api-extractor's reports of all entries of a package, each of which also declares what its exports mention. It looks at one entry
 * at a time, while what another entry exports is at the user's hand as well.
 */
export function publicSurface(reports: readonly string[]): PublicSurface {
  const exported: string[] = []
  const names = new Set<string>()
  const declared = new Map<string, string>()
  for (const report of reports) {
    // A comment begins each declaration, as in `// @public (undocumented)`.
    const blocks = report.split(/\n(?=\/\/ @)/)
    const isHidden = (block: string) => DECLARES.test(block) && !RENAMES.test(block)
    exported.push(blocks.filter(block => !isHidden(block)).join('\n'))
    for (const block of blocks) {
      const name = EXPORTS.exec(block)?.[1]
      if (name !== undefined) names.add(name)
      const hidden = isHidden(block) ? DECLARES.exec(block)?.[1] : undefined
      // The same name of two files is numbered.
      if (hidden !== undefined) declared.set(hidden.replace(/_\d+$/, ''), block.trimEnd())
    }
  }
  const signatures = exported.join('\n').replaceAll(new RegExp(INHERITS, 'gm'), '$1 {')
  const hidden = [...declared].filter(([name]) => !names.has(name)).toSorted()
  return {
    exported,
    inherited: hidden.map(([, block]) => block).join('\n\n'),
    missing: hidden.map(([name]) => name).filter(name => mentions(signatures, name)),
  }
}

function mentions(signatures: string, name: string): boolean {
  return new RegExp(`\\b${name}(?:_\\d+)?\\b`).test(signatures)
}
