/*
 * SQLite has no checksum over what it stores. Numbers that decide what is served or refused therefore stand beside a second one that is
 * computed from them whenever a row is written, and a name beside its copy: a bit that flips in either makes the two differ.
 */

/** How the columns of each table are summed up. Odd factors, so that each bit of each column counts. */
const SUMS = {
  state_4: 'epoch + 3 * cleared + 5 * expired + 7 * horizon + 9 * time + 11 * lead',
  entries_4: 'barrier + 3 * used + 5 * size',
  tags_4: 'deleted + 3 * expired',
} as const

/** Columns that may be 0. A flip in the type of such a one makes it an empty blob, which counts as 0 in a sum and is greater than any number. */
const ZEROS = {
  state_4: 'cleared, expired, lead',
  entries_4: 'version, barrier, used, size',
  tags_4: 'deleted, expired',
} as const

/** The column of a table that guards the others. */
export function guardColumn(table: keyof typeof SUMS): string {
  return `guard INTEGER NOT NULL AS (${SUMS[table]}) STORED`
}

/** Whether a row of the table is what was written. */
export function isGuarded(table: keyof typeof SUMS): string {
  return `(guard = ${SUMS[table]} AND typeof(max(${ZEROS[table]})) = 'integer')`
}

/** Whether a row of `entries_4` is what was written. */
export const isWhole: string = isGuarded('entries_4')
/** Whether there is a value that is not gone by time. */
export const isLive: string = `value IS NOT NULL AND retained > ? AND ${isWhole}`
/** The epoch; `NULL` where the row is damaged. */
export const epochOfState: string = `iif(${isGuarded('state_4')}, epoch, NULL)`
/** Whether a tag of the row was invalidated after the value, as a damaged one may have been. Not asked of rows without tags, nor of damaged ones. */
export const tagged = (column: 'deleted' | 'expired'): string => `
  (tags IS NOT NULL AND CASE WHEN json_valid(tags) THEN EXISTS (
    SELECT 1 FROM json_each(entries_4.tags) AS tag
    JOIN (SELECT name, deleted, expired, ${isGuarded('tags_4')} AS whole FROM tags_4) AS tags ON tags.name = tag.value
    WHERE tags.${column} > entries_4.version OR NOT tags.whole) ELSE FALSE END)`
