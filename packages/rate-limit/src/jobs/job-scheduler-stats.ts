import { counters, gauges, type StatsKinds } from '@millrace/kit'

export interface JobSchedulerStats {
  /** Jobs that wait. */
  waiting: number
  /** Jobs that run, those included whose expiration has passed. */
  running: number
  /** Jobs that ended well. */
  done: number
  failed: number
  /** Jobs refused or dropped because the queue was full. */
  dropped: number
  expired: number
  retried: number
  /** Jobs given up while they waited: timeout or abort. */
  abandoned: number
  /** Faults that belonged to no job. */
  errors: number
}

/** What the numbers of {@link JobSchedulerStats} are. */
export const JOB_SCHEDULER_STATS_KINDS: StatsKinds<JobSchedulerStats> = {
  ...gauges('waiting', 'running'),
  ...counters('done', 'failed', 'dropped', 'expired', 'retried', 'abandoned', 'errors'),
}
