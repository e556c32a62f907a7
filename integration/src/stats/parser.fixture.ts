/** A parser for threads: counts words, throws, or ends its thread. */
export function parse(text: string): number {
  if (text === 'throw') throw new SyntaxError('no words')
  if (text === 'exit') process.exit(3)
  return text.split(' ').length
}
