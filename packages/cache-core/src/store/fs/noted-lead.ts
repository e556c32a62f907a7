import { randomUUID } from 'node:crypto'
import { readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeFolder } from '@millrace/kit/make-folder'
import { unlessGone } from '../unless-gone.ts'

/** Twice, so that a bit that flipped is noticed. */
const LEAD = /^(\d{1,15}) \1\n$/

/** By how many ms the time of a folder leads the wall clock, as processes before have noted; 0 if none has, or that is damaged. */
export function notedLead(folder: string): number {
  const text = unlessGone(() => readFileSync(join(folder, 'lead'), 'latin1')) ?? ''
  return Number(LEAD.exec(text)?.[1] ?? 0)
}

/** Notes that, in one step, unless a greater lead is noted. */
export function noteLead(folder: string, lead: number): void {
  const whole = Math.ceil(lead)
  if (whole <= notedLead(folder)) return
  const temporary = join(folder, 'temporary', randomUUID())
  try {
    makeFolder(join(folder, 'temporary'), 0o700)
    writeFileSync(temporary, `${whole} ${whole}\n`, { mode: 0o600 })
    renameSync(temporary, join(folder, 'lead'))
  } catch (error) {
    unlessGone(() => unlinkSync(temporary))
    throw error
  }
}
