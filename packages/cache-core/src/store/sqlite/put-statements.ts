import { isGuarded, isWhole, tagged } from './row-guard.ts'

const into =
  'INSERT INTO entries_4 (key, version, barrier, expires, retained, used, size, tags, value)'
const instead = (barrier: string): string => `
  ON CONFLICT (key) DO UPDATE SET version = excluded.version, barrier = ${barrier}, expires = excluded.expires,
    retained = excluded.retained, used = excluded.used, size = excluded.size, tags = excluded.tags, value = excluded.value`

/** Writes a value that outdates the fences before its version. */
export const PUT: string = `${into} VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ${instead('excluded.barrier')}`

/**
 * What is selected if a value may be stored under key `?1` by a fence of epoch `?2`, with tags `?3` as a JSON array or `NULL`, at time `?4`.
 * A fence from the future was taken in a file that was lost.
 */
export const ADMITTED: string = `
  FROM (SELECT *, ${isGuarded('state_4')} AS whole FROM state_4) AS state
  WHERE whole AND ?2 >= max(cleared, expired, horizon) AND ?2 <= epoch
    AND NOT EXISTS (SELECT 1 FROM entries_4 WHERE key = ?1 AND (barrier > ?2 OR NOT ${isWhole}
      OR (version > ?2 AND value IS NOT NULL AND retained > ?4 AND NOT ${tagged('deleted')})))
    AND NOT EXISTS (SELECT 1 FROM tags_4 WHERE (max(deleted, expired) > ?2 OR NOT ${isGuarded('tags_4')})
      AND name IN (SELECT value FROM json_each(?3)))`

/** Writes a value if it is {@link ADMITTED}. */
export const PUT_ADMITTED: string = `
  ${into} SELECT ?1, ?2, 0, ?5, ?6, ?4, ?7, ?3, ?8 ${ADMITTED} ${instead('barrier')}`
