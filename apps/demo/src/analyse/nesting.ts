/**
 * How deep brackets nest in a text, by counting characters: those in strings and comments count too. O(length).
 */
export function nestingOf(text: string): number {
  let [depth, deepest] = [0, 0]
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case 0x28: // (
      case 0x5b: // [
      case 0x7b: // {
        if (++depth > deepest) deepest = depth
        break
      case 0x29:
      case 0x5d:
      case 0x7d:
        if (depth > 0) depth--
    }
  }
  return deepest
}
