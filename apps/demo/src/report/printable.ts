/** What a terminal obeys instead of showing it: control characters, line ends, and marks that turn the direction of writing. */
const obeyed = /[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu

/**
 * A text of one line that is safe to show: names of files and answers of servers come from others, and may hold whatever colours, clears
 * or retitles a terminal.
 */
export function printable(text: string): string {
  return text.replace(obeyed, each => `\\u{${each.codePointAt(0)!.toString(16)}}`)
}
