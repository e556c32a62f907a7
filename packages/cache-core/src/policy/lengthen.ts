/** A copy of a column with room for `length` slots, the new ones 0. */
export function lengthen<Column extends Uint8Array | Uint16Array | Int32Array | Float64Array>(
  column: Column,
  length: number,
): Column {
  const grown = new (column.constructor as new (length: number) => Column)(length)
  grown.set(column.length > length ? column.subarray(0, length) : column)
  return grown
}
