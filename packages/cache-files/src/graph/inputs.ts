import { createHash } from 'node:crypto'
import { readdirSync, realpathSync, statSync } from 'node:fs'
import { FileReadError } from '../errors.ts'
import type { FileTable } from '../table/file-table.ts'
import type { PathKind } from './query.ts'

/** Where a result depends on the world outside the graph. */
export type InputKind = 'file' | 'kind' | 'list' | 'realPath' | 'env' | 'untracked'

/** The present state of an input, in a form that is equal exactly when nothing changed. */
export function inputFingerprint(files: FileTable, kind: InputKind, name: string): string {
  switch (kind) {
    case 'file':
      try {
        return files.hashSync(name)
      } catch (error) {
        if (error instanceof FileReadError) return `error ${error.reason}`
        throw error
      }
    case 'kind':
      return pathKind(name)
    case 'list':
      return listFingerprint(listFolder(name))
    case 'realPath':
      return realPath(name) ?? ''
    case 'env':
      return envFingerprint(process.env[name])
    case 'untracked':
      return ''
  }
}

function pathKind(path: string): PathKind {
  try {
    const stat = statSync(path, { throwIfNoEntry: false })
    if (stat === undefined) return 'none'
    if (stat.isFile()) return 'file'
    return stat.isDirectory() ? 'folder' : 'other'
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    return code === 'ENOTDIR' ? 'none' : 'other'
  }
}

export function listFolder(path: string): string[] | undefined {
  try {
    return readdirSync(path).sort()
  } catch {
    return undefined
  }
}

/** Names hold no NUL, so it keeps them apart. */
export function listFingerprint(names: readonly string[] | undefined): string {
  return names === undefined
    ? 'none'
    : createHash('sha256').update(names.join('\0')).digest('base64')
}

function realPath(path: string): string | undefined {
  try {
    return realpathSync(path)
  } catch {
    return undefined
  }
}

function envFingerprint(value: string | undefined): string {
  return value === undefined ? 'unset' : `set ${value}`
}

/** The variable's value, back from its fingerprint. */
export function envValue(fingerprint: string): string | undefined {
  return fingerprint === 'unset' ? undefined : fingerprint.slice('set '.length)
}
