import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { published } from './published.fixture.ts'

/** What stands before the first section, and the sections by heading, in their order. */
function parts(readme: string): { start: string; sections: Map<string, string> } {
  const sections = new Map<string, string>()
  let heading = ''
  let lines: string[] = []
  let code = false
  for (const line of `${readme}\n## `.split('\n')) {
    if (line.startsWith('```')) code = !code
    if (!code && line.startsWith('## ')) {
      sections.set(heading, lines.join('\n').trim())
      heading = line.slice(3)
      lines = []
    } else lines.push(line)
  }
  const start = sections.get('')!
  sections.delete('')
  return { start, sections }
}

describe.each(published.map(each => [each.name, each.folder] as const))(
  'README of %s',
  (name, folder) => {
    const { start, sections } = parts(readFileSync(join(folder, 'README.md'), 'utf8'))
    const headings = [...sections.keys()]

    test('begins with a sentence, how to install it, and an example with its output', () => {
      const [title, sentence, install, example, output] = start.split('\n\n')
      expect(title).toBe(`# ${name}`)
      expect(sentence!.replaceAll('\n', ' ')).toMatch(/^[A-Z].*\.$/)
      expect(install).toMatch(new RegExp(`^\`\`\`sh\\nnpm install ${name}\\b`))
      expect(example).toMatch(/^```ts\n/)
      expect(output === undefined ? '' : start).toMatch(/\n```text\n/)
      expect(start).toContain('Node 22.19')
      expect(start).toMatch(/\bBun\b.*\bDeno\b|\bDeno\b.*\bBun\b/)
    })

    test('goes on in the order of all', () => {
      expect(headings[0]).toBe('When to use it, and when not')
      expect(headings.slice(-5)).toEqual([
        'Guarantees and limits',
        'Errors',
        'Recipes',
        'Observing it',
        'Benchmarks',
      ])
      const options = headings.slice(1, -5).map(heading => sections.get(heading))
      expect(options.some(text => /^\| option/m.test(text!))).toBe(true)
      expect(sections.get('Errors')).toContain('ERR_MILLRACE_')
    })

    test('has three lines of benchmarks and a link', () => {
      expect(sections.get('Benchmarks')).toMatch(
        /^<!-- bench:[\w-]+ -->\n\n(?:- .+\n){1,3}\n.*\[results\]\(\S+\)\.\n\n<!-- \/bench -->$/,
      )
    })
  },
)
