/** What is used of an ioredis `Redis` or `Cluster`; the connection is the user's and is never closed here. */
export interface RedisClient {
  /** `'ready'` when commands are answered. */
  readonly status: string
  evalsha(sha: string, keyCount: number, ...args: (string | number)[]): Promise<unknown>
  eval(script: string, keyCount: number, ...args: (string | number)[]): Promise<unknown>
}
