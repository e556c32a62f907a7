import { basename, isAbsolute, relative } from 'node:path'
import { printable } from './printable.ts'

/** A path as one reads it who started the run: from where that was, if the path lies below, and without control characters. */
export function shownPath(path: string): string {
  const near = relative(process.cwd(), path)
  if (near === '') return printable(basename(path))
  return printable(isAbsolute(near) || near.startsWith('..') ? path : near)
}
