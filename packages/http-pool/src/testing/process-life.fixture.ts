import { HttpPool } from '../index.ts'

// Run as a script of its own by the test beside it.
const [action, url] = process.argv.slice(2) as [string, string]
const pool = new HttpPool({ retry: { baseDelay: 150, maxAttempts: 2 }, random: () => 1 })
if (action === 'leave-idle') {
  console.log(await pool.json(url))
} else {
  // Nothing but the wait for the second attempt is left in the process.
  await pool.json(url).catch(error => console.log(error.code, pool.stats().attempts))
}
