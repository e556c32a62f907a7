import type { RedisTimeoutError, RedisUnavailableError } from '@millrace/cache-redis'
import { explain } from '../report/explain.ts'

/** By their codes, as the client of Redis is loaded only where it is used. */
type Trouble = { readonly code?: undefined } | RedisTimeoutError | RedisUnavailableError

/** What is wrong with Redis, in the words of a sentence and without those of its protocol; what else went wrong, as it says itself. */
export function explainRedis(error: Error & Trouble): string {
  if (error.code === 'ERR_MILLRACE_REDIS_TIMEOUT') {
    return `no answer within ${error.timeout.toLocaleString('en-US')} ms`
  }
  if (error.code !== 'ERR_MILLRACE_REDIS_UNAVAILABLE') return explain(error)
  const cause = error.cause as Error | undefined
  switch (error.reason) {
    case 'disconnected':
      return cause === undefined ? 'there is no connection' : explainRefusal(cause)
    case 'connection':
      return 'the connection broke'
    case 'breaker':
      return 'it has not answered lately'
    case 'overloaded':
      return 'too many calls wait for it'
    case 'reply':
      return explainRefusal(cause ?? new Error('it refuses what is asked for'))
  }
}

/** Beginnings of what a server, or the client for it, says. */
const REFUSALS: readonly (readonly [beginning: string, explanation: string])[] = [
  ['NOAUTH', 'it wants a password'],
  ['WRONGPASS', 'it refuses the password'],
  ['NOPERM', 'it does not permit that'],
  ['WRONGTYPE', 'others keep something else under its keys'],
  ['OOM', 'its memory is full'],
  ['MISCONF', 'it cannot write to its disk'],
  ['READONLY', 'it is a replica'],
  ['LOADING', 'it is still loading what it holds'],
  ['Unknown RESP type', 'what answers there is no Redis'],
]

function explainRefusal(cause: Error): string {
  const known = REFUSALS.find(([beginning]) => cause.message.startsWith(beginning))
  if (known !== undefined) return known[1]
  // What follows a comma may repeat what was sent.
  const explained = explain(cause)
  return explained === cause.message ? explained.split(/[.,]/, 1)[0]! : explained
}
