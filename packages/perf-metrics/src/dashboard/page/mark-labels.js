/* Where the words of marks stand: above the plot, beside their lines, and below each other where they would overlap. */

/**
 * The newest first, as what has just happened is what is looked at: its words take the first place beside its line, right or left, that
 * nothing newer has. A mark that finds none is counted beside the words that are in its way.
 *
 * @param marks `{ x, text }`, oldest first
 * @param area `{ left, right, rows }`, in the unit of `x`
 * @param widthOf the width of a text
 * @returns `{ mark, text, left, row }` of those that have room
 */
export function placeLabels(marks, { left, right, rows }, widthOf) {
  const gap = widthOf('n')
  // Whether something will be counted shows only at the end.
  const count = marks.length > rows ? widthOf(' +99') : 0
  const longest = (2 * (right - left)) / 3 - count
  const taken = Array.from({ length: rows }, () => [])
  for (const mark of marks.toReversed()) {
    const text = shortened(mark.text, longest, widthOf)
    const width = widthOf(text) + count + 2 * gap
    const places = [mark.x, mark.x - width].filter(start => start >= left && start + width <= right)
    // In the middle of a narrow chart long words fit on neither side.
    if (places.length === 0) places.push(left)
    const inTheWay = (row, start) =>
      taken[row].find(other => start < other.end && other.start < start + width)
    const [place] = taken.flatMap((_, row) =>
      places.filter(start => !inTheWay(row, start)).map(start => ({ row, start })),
    )
    if (place === undefined) inTheWay(rows - 1, places[0]).more++
    else taken[place.row].push({ ...place, end: place.start + width, mark, text, more: 0 })
  }
  return taken.flat().map(({ row, start, end, mark, text, more }) => {
    const words = more > 0 ? `${text} +${Math.min(more, 99)}` : text
    const before = start < mark.x
    return { mark, row, text: words, left: before ? end - gap - widthOf(words) : start + gap }
  })
}

function shortened(text, longest, widthOf) {
  const width = widthOf(text)
  if (width <= longest) return text
  const characters = [...text]
  characters.length = Math.ceil((characters.length * longest) / width)
  while (characters.length > 1 && widthOf(`${characters.join('')}…`) > longest) characters.pop()
  return `${characters.join('').trimEnd()}…`
}
