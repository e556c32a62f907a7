import { type EcmaScriptModule, type ParseResult, parse, type StaticExport } from 'oxc-parser'
import { commonJsFacts } from './commonjs-facts.ts'
import type { FileFacts } from './facts.ts'
import { nestingOf } from './nesting.ts'

/**
 * Brackets in brackets, beyond which a file is not parsed. People and bundlers stay below a hundred; from some thousand on the parser
 * overflows the stack of its thread, which ends the process.
 */
const DEEPEST = 1_000

/**
 * Parses one source file and derives its facts. Parsing runs on the thread pool.
 *
 * @param path decides about TypeScript and JSX
 */
export async function deriveFacts(path: string, text: string): Promise<FileFacts> {
  if (nestingOf(text) > DEEPEST) return unparsed(text, `Nested more than ${DEEPEST} brackets deep`)
  const parsed = await parse(path, text)
  // A `return` at the top level is an error in a script and usual in CommonJS; which one a file is shows only in its syntax.
  const commonJs = parsed.errors.length > 0 && !parsed.module.hasModuleSyntax
  try {
    return factsOf(commonJs ? await parse(path, text, { sourceType: 'commonjs' }) : parsed, text)
  } catch (error) {
    // Thousands of operators in a row nest as well: the syntax tree is deeper than the stack.
    if (!(error instanceof RangeError)) throw error
    return unparsed(text, 'Nested too deeply')
  }
}

/** Of a text that the parser is spared. */
const unparsed = (text: string, why: string): FileFacts => ({
  bytes: Buffer.byteLength(text),
  lines: countLines(text),
  kind: 'script',
  imports: [],
  exports: [],
  syntaxError: `1:1: ${why}`,
})

/** Raised whenever the facts of the same bytes would come out differently; part of every cache key. */
export const factsVersion = 'oxc-parser@0.158.0/2'

function factsOf(parsed: ParseResult, text: string): FileFacts {
  const { module } = parsed
  const commonJs = module.hasModuleSyntax ? undefined : commonJsFacts(parsed, text)
  const error = parsed.errors[0]
  return {
    bytes: Buffer.byteLength(text),
    lines: countLines(text),
    kind: module.hasModuleSyntax ? 'esm' : (commonJs?.kind ?? 'script'),
    imports: [...new Set([...moduleImports(module, text), ...(commonJs?.imports ?? [])])],
    exports: module.hasModuleSyntax ? moduleExports(module) : (commonJs?.exports ?? []),
    syntaxError: error && `${position(text, error.labels[0]?.start ?? 0)}: ${error.message}`,
  }
}

function* moduleImports(module: EcmaScriptModule, text: string): Generator<string> {
  for (const statement of module.staticImports) yield statement.moduleRequest.value
  for (const { entries } of module.staticExports) {
    for (const { moduleRequest } of entries) if (moduleRequest) yield moduleRequest.value
  }
  for (const { moduleRequest } of module.dynamicImports) {
    const literal = /^(['"`])([^'"`$\\]+)\1$/.exec(
      text.slice(moduleRequest.start, moduleRequest.end),
    )
    if (literal) yield literal[2]!
  }
}

function moduleExports(module: EcmaScriptModule): string[] {
  return module.staticExports.flatMap(({ entries }: StaticExport) =>
    entries.map(({ exportName }) =>
      exportName.kind === 'Default' ? 'default' : (exportName.name ?? '*'),
    ),
  )
}

function countLines(text: string): number {
  let lines = 1
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) lines++
  return lines
}

function position(text: string, offset: number): string {
  const before = text.slice(0, offset)
  return `${countLines(before)}:${offset - before.lastIndexOf('\n')}`
}
