/** One fenced block of a README that a test runs. */
export interface CodeBlock {
  /** Line of the opening fence, from 1. */
  readonly line: number
  readonly code: string
  /** What the block prints, from the `text` or `console` block that follows it in the same section. */
  readonly output: string | undefined
  /** False for a block marked `no-run`, which is only type-checked. */
  readonly run: boolean
}

/** The `ts` blocks of a Markdown text, each with the output block that follows it, if any. */
export function codeBlocks(markdown: string): CodeBlock[] {
  const blocks: CodeBlock[] = []
  const lines = markdown.split('\n')
  /** Whether a block without output may still get one: until the next heading. */
  let open = false
  for (let index = 0; index < lines.length; index++) {
    if (lines[index]!.startsWith('#')) open = false
    const fence = /^(`{3,})\s*(\S*)\s*(.*)$/.exec(lines[index]!)
    if (fence === null) continue
    const start = index
    while (++index < lines.length && lines[index] !== fence[1]) {}
    const body = lines.slice(start + 1, index).join('\n')
    const [, , language, marks] = fence
    if (language === 'ts' || language === 'typescript') {
      const run = !marks!.split(/\s+/).includes('no-run')
      blocks.push({ line: start + 1, code: body, output: undefined, run })
      open = run
    } else if (open && (language === 'text' || language === 'console')) {
      const output = body
        .split('\n')
        .filter(line => !line.startsWith('$ '))
        .join('\n')
      blocks[blocks.length - 1] = { ...blocks.at(-1)!, output }
      open = false
    }
  }
  return blocks
}

/**
 * Whether `actual` is what a README shows. An ellipsis (`…`) in `shown` stands for any text within one line, for what
 * differs from run to run; white space at line ends and blank lines around do not count.
 */
export function printsAs(actual: string, shown: string): boolean {
  const pattern = tidy(shown).split('…').map(literal).join('.*')
  return new RegExp(`^${pattern}$`).test(tidy(actual))
}

function tidy(text: string): string {
  return text.replace(/[^\S\n]+$/gm, '').replace(/^\n+|\n+$/g, '')
}

function literal(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
}
