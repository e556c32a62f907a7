/** `@millrace/cache-core/ticker`: time read by a thread, for many reads of entries that expire. */
export { TickerClock, type TickerOptions } from '../time/ticker-clock.ts'
