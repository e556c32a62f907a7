import { describeRedis, testReadme } from '@millrace/testkit/vitest'

/** Passes in waits alone: what an example prints must not depend on how long the machine stands still between two of its lines. */
const clock = `
const waits = {
  time: 0,
  now: () => waits.time,
  setTimer(callback: () => void, delay: number) {
    const due = waits.time + delay
    const timer = setTimeout(() => {
      waits.time = Math.max(waits.time, due)
      callback()
    }, delay)
    return { cancel: () => clearTimeout(timer) }
  },
}
`

describeRedis('rate-limit', redis => {
  testReadme(new URL('../README.md', import.meta.url), {
    env: () => ({ REDIS_URL: redis.server.url }),
    runnable: code =>
      clock +
      code
        .replace(
          /new (?:TokenBucket|Keyed(?:Limiter|Window)|SlidingWindow)\(\{/g,
          '$& clock: waits,',
        )
        // Until the others are in bottleneck's queue, which takes them turns of the event loop.
        .replace('sleep(50)', 'sleep(4_000)')
        // Where time is that of Redis.
        .replace('timeout: 2_000 }', 'timeout: 60_000 }')
        .replace('{ rate: 1, burst: 2 }\n', '{ rate: 0.25, burst: 2 }\n'),
  })
})
