import { isGuarded, isWhole, tagged } from './row-guard.ts'

const into =
  'INSERT INTO entries_4 (key, version, barrier, expires, retained, used, size, tags, value)'
const instead = (barrier: string): string => `
  ON CONFLICT (key) DO UPDATE SET version = excluded.version, barrier = ${barrier}, expires = excluded.expires,
    retained = excluded.retained, used = excluded.used, size = excluded.size, tags = excluded.tags, value = excluded.value`

/** Writes a value that outdates the fences before its version. */
export const PUT: string = `${into} VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ${instead('excluded.barrier')}`

/** Whether the row to which the index of keys leads is that of the key: by a flipped bit two rows may have one number. */
const isOwn = `EXISTS (SELECT 1 FROM entries_4 AS own WHERE own.rowid = entries_4.rowid AND own.key = call.key)`

/** A row if that of a key is another's. */
export const STRANGE: string = `WITH call (key) AS (VALUES (?)) SELECT 1 FROM call, entries_4 WHERE entries_4.key = call.key AND NOT ${isOwn}`

/*
 * What a call is given has names of its own within a statement: before 24, Node skips parameters with a number where it binds values by
 * their order.
 */
const admittedCall = 'key, fence, tags, now'

/**
 * What is selected if a value may be stored under the key of the `call` by its fence, with its tags as a JSON array or `NULL`, at its time.
 * A fence from the future was taken in a file that was lost.
 */
const admitted = `
  FROM call, (SELECT *, ${isGuarded('state_4')} AS whole FROM state_4) AS state
  WHERE whole AND call.fence >= max(cleared, expired, horizon) AND call.fence <= epoch
    AND NOT EXISTS (SELECT 1 FROM entries_4 WHERE key = call.key AND (barrier > call.fence OR NOT ${isWhole} OR NOT ${isOwn}
      OR (version > call.fence AND value IS NOT NULL AND retained > call.now AND NOT ${tagged('deleted')})))
    AND NOT EXISTS (SELECT 1 FROM tags_4 WHERE (max(deleted, expired) > call.fence OR NOT ${isGuarded('tags_4')})
      AND name IN (SELECT value FROM json_each(call.tags)))`

/** A row if a value may be stored; given key, fence, tags and time. */
export const ADMITTED: string = `WITH call (${admittedCall}) AS (VALUES (?, ?, ?, ?)) SELECT 1 ${admitted}`

/** Writes a value if it may be; given the same, then when it expires, until when it is retained, its size, and itself. */
export const PUT_ADMITTED: string = `
  WITH call (${admittedCall}, expires, retained, size, value) AS (VALUES (?, ?, ?, ?, ?, ?, ?, ?))
  ${into} SELECT call.key, call.fence, 0, call.expires, call.retained, call.now, call.size, call.tags, call.value ${admitted}
  ${instead('barrier')}`
