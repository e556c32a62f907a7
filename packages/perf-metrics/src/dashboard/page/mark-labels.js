/* Where the words of marks stand: above the plot, beside their lines, and below each other where they would overlap. */

/**
 * The newest first, as what has just happened is what is looked at: its words take the first row where nothing newer is in their way.
 * A mark that finds no room is counted beside the words that are in its way.
 *
 * @param marks `{ x, text }`, oldest first
 * @param area `{ left, right, rows }`, in the unit of `x`
 * @param widthOf the width of a text
 * @returns `{ mark, text, left, row }` of those that have room
 */
export function placeLabels(marks, { left, right, rows }, widthOf) {
  const gap = widthOf('n')
  const longest = (right - left) / 2
  // Whether something will be counted shows only at the end.
  const count = marks.length > rows ? widthOf(' +99') : 0
  const taken = Array.from({ length: rows }, () => [])
  const labels = []
  for (const mark of marks.toReversed()) {
    const text = shortened(mark.text, longest, widthOf)
    const width = widthOf(text) + count + 2 * gap
    const start = mark.x + width > right ? Math.max(left, mark.x - width) : mark.x
    const inTheWay = row =>
      taken[row].filter(other => start < other.end && other.start < start + width)
    const row = taken.findIndex((_, each) => inTheWay(each).length === 0)
    if (row < 0) {
      inTheWay(rows - 1)[0].label.more++
      continue
    }
    const label = { mark, text, left: start + gap, row, more: 0 }
    taken[row].push({ start, end: start + width, label })
    labels.push(label)
  }
  return labels.map(({ more, text, ...label }) => ({
    ...label,
    text: more > 0 ? `${text} +${Math.min(more, 99)}` : text,
  }))
}

function shortened(text, longest, widthOf) {
  const width = widthOf(text)
  if (width <= longest) return text
  const characters = [...text]
  characters.length = Math.ceil((characters.length * longest) / width)
  while (characters.length > 1 && widthOf(`${characters.join('')}…`) > longest) characters.pop()
  return `${characters.join('').trimEnd()}…`
}
