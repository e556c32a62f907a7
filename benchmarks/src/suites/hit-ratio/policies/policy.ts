/** A cache reduced to what decides its hit ratio: which ids it holds. */
export interface Policy {
  /**
   * Reads an id and, when it is not held, brings it in.
   *
   * @param size weight of the entry; 1 makes the capacity a number of entries
   * @returns whether it was held
   */
  access(id: number, size: number): boolean
}

export interface PolicyOptions {
  /** Sum of the sizes that may be held. */
  readonly capacity: number
  /** Ids are 0 up to this, exclusive. */
  readonly distinct: number
}

export type PolicyFactory = (options: PolicyOptions) => Policy
