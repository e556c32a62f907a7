import { type ParseResult, Visitor } from 'oxc-parser'
import type { ModuleKind } from './facts.ts'

/**
 * Above this many characters the syntax tree is not built: it costs a hundred times the text in memory, and files of that size
 * are bundles, which have few imports left.
 */
const longestTree = 1_000_000

export interface CommonJsFacts {
  readonly kind: ModuleKind
  readonly imports: readonly string[]
  readonly exports: readonly string[]
}

/** Finds `require('…')`, `exports.name =` and `module.exports =` in the syntax tree of a file without module syntax. */
export function commonJsFacts(parsed: ParseResult, text: string): CommonJsFacts | undefined {
  // The parser hands the tree over as text, at several times the cost of parsing: files without these words are spared it.
  if (text.length > longestTree || !/\brequire\s*\(|\bexports\b/.test(text)) return undefined
  const imports: string[] = []
  const exports = new Set<string>()
  new Visitor({
    CallExpression({ callee, arguments: [first] }) {
      if (callee.type !== 'Identifier' || callee.name !== 'require') return
      if (first?.type === 'Literal' && typeof first.value === 'string') imports.push(first.value)
    },
    AssignmentExpression({ left }) {
      if (left.type !== 'MemberExpression') return
      const { object, property } = left
      if (property.type !== 'Identifier' || object.type !== 'Identifier') return
      if (object.name === 'exports') exports.add(property.name)
      else if (object.name === 'module' && property.name === 'exports') exports.add('default')
    },
  }).visit(parsed.program)
  return {
    kind: imports.length > 0 || exports.size > 0 ? 'commonjs' : 'script',
    imports,
    exports: [...exports],
  }
}
