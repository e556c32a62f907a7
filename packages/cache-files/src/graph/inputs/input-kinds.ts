import { createHmac, hash, randomBytes } from 'node:crypto'
import { realpathSync } from 'node:fs'
import type { FolderList } from '../../table/paths/folder-lists.ts'

/** Where a result depends on the world outside the graph. */
export type InputKind =
  | 'file'
  | 'kind'
  | 'list'
  | 'glob'
  | 'realPath'
  | 'env'
  | 'option'
  | 'untracked'

/** Names hold no NUL, so it keeps them apart. */
export function namesFingerprint(names: readonly string[] | undefined): string {
  return names === undefined ? 'none' : hash('sha256', names.join('\0'), 'base64')
}

const listFingerprints = new WeakMap<FolderList, string>()

/** The fingerprint of a folder's names, computed once per list. */
export function listFingerprint(list: FolderList): string {
  let fingerprint = listFingerprints.get(list)
  if (fingerprint === undefined) {
    fingerprint = namesFingerprint(list.names)
    listFingerprints.set(list, fingerprint)
  }
  return fingerprint
}

/** The path with all links followed; empty if nothing is there. */
export function realPath(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    // Missing, a circle of links, or not to be looked at: in each case there is no such path.
    return ''
  }
}

/** A new one for each process, so that equal values do not show as equal hashes in two caches. */
const salt = randomBytes(16).toString('hex')

/**
 * A variable's state without its value, which may be a credential: `unset`, or a salt and the HMAC under it.
 *
 * @param key secret that does not lie in the cache
 */
export function environmentFingerprint(
  value: string | undefined,
  key: string,
  withSalt: string = salt,
): string {
  if (value === undefined) return 'unset'
  const mac = createHmac('sha256', `${withSalt}:${key}`).update(value).digest('base64')
  return `${withSalt}:${mac}`
}

/**
 * A fingerprint from which what it is of cannot be guessed by trying values, without the key. The same one without a key.
 *
 * @param key secret that does not lie in the cache; empty for none
 */
export function underKey(fingerprint: string, key: string): string {
  return key === '' ? fingerprint : createHmac('sha256', key).update(fingerprint).digest('base64')
}

/** The salt of a fingerprint that {@link environmentFingerprint} made. */
export function saltOf(fingerprint: string): string {
  return fingerprint.slice(0, Math.max(0, fingerprint.indexOf(':')))
}
