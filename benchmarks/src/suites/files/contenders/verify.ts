import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Prepare } from '../../../define.ts'
import { count, paths } from '../tree.ts'

/** A tree that was read once is asked for again: how many of its files are the same? */
export const fileTable: Prepare<number> = async ({ fixture }) => {
  const { FileTable } = await import('@millrace/cache-files')
  const names = paths(fixture as string)
  const files = new FileTable({ root: fixture as string })
  const known = names.map(name => files.hashSync(name))
  return {
    operations: count,
    run() {
      let same = 0
      for (let i = 0; i < count; i++) if (files.hashSync(names[i]!) === known[i]) same++
      return same
    },
  }
}

function fileEntryCache(useCheckSum: boolean): Prepare<number> {
  return async ({ fixture }) => {
    const { create } = await import('file-entry-cache')
    const names = paths(fixture as string)
    const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-entries-'))
    const cache = create('bench', folder, { useCheckSum })
    for (const name of names) cache.getFileDescriptor(name)
    cache.reconcile()
    return {
      operations: count,
      run() {
        let same = 0
        for (const name of names) if (!cache.getFileDescriptor(name).changed) same++
        return same
      },
      close: () => rmSync(folder, { recursive: true }),
    }
  }
}

export const byTime: Prepare<number> = fileEntryCache(false)
export const byChecksum: Prepare<number> = fileEntryCache(true)

/** A whole run that finds nothing to do: what the last process knew is loaded, every file checked, and what is new saved. */
export const fileTableRun: Prepare<number> = async ({ fixture }) => {
  const { FileTable } = await import('@millrace/cache-files')
  const root = fixture as string
  const names = paths(root)
  const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-table-'))
  const saved = join(folder, 'table')
  const first = new FileTable({ root })
  const known = names.map(name => first.hashSync(name))
  writeFileSync(saved, first.dump())
  return {
    operations: count,
    run() {
      const files = new FileTable({ root })
      files.load(readFileSync(saved))
      let same = 0
      for (let i = 0; i < count; i++) if (files.hashSync(names[i]!) === known[i]) same++
      if (files.stats().reads > 0) throw new Error('Read a file that had not changed')
      if (files.stats().unsaved > 0) {
        writeFileSync(`${saved}.new`, files.dump())
        renameSync(`${saved}.new`, saved)
      }
      return same
    },
    close: () => rmSync(folder, { recursive: true }),
  }
}

function fileEntryCacheRun(useCheckSum: boolean): Prepare<number> {
  return async ({ fixture }) => {
    const { create } = await import('file-entry-cache')
    const names = paths(fixture as string)
    const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-entries-'))
    const first = create('bench', folder, { useCheckSum })
    for (const name of names) first.getFileDescriptor(name)
    first.reconcile()
    return {
      operations: count,
      run() {
        const cache = create('bench', folder, { useCheckSum })
        let same = 0
        for (const name of names) if (!cache.getFileDescriptor(name).changed) same++
        cache.reconcile()
        return same
      },
      close: () => rmSync(folder, { recursive: true }),
    }
  }
}

export const byTimeRun: Prepare<number> = fileEntryCacheRun(false)
export const byChecksumRun: Prepare<number> = fileEntryCacheRun(true)

/** The floor: nothing can tell without asking the file system. */
export const bareStat: Prepare<number> = async ({ fixture }) => {
  const { statSync } = await import('node:fs')
  const names = paths(fixture as string)
  const known = names.map(name => statSync(name).mtimeMs)
  return {
    operations: count,
    run() {
      let same = 0
      for (let i = 0; i < count; i++) {
        if (statSync(names[i]!).mtimeMs === known[i]) same++
      }
      return same
    },
  }
}
