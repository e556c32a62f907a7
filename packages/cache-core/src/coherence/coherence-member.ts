/** A cache as a {@link CoherenceGroup} sees it: `Cache` and `TieredCache` are ones, and anything else with these verbs. */
export interface CoherentCache<V = unknown> {
  /** What is `false`, or a promise of it, says that there was nothing to delete. */
  delete(key: string): unknown
  /** As `delete`, where the member can keep a stale copy. */
  expire?(key: string): unknown
  /** Several at once; a number that is returned, or promised, says how many there were. */
  deleteMany?(keys: Iterable<string>): unknown
  expireMany?(keys: Iterable<string>): unknown
  /** A member with `expire` should keep stale copies where it is told to. */
  clear(options?: { readonly expire?: boolean | undefined }): unknown
  /** Valid entries; needed where the member is validated. */
  entries?(): Iterable<[string, V]> | AsyncIterable<[string, V]>
  /** The valid value of a key, without counting as a use; needed where others are derived from the member. */
  peek?(key: string): V | undefined | PromiseLike<V | undefined>
}

/** A cache whose entries are made of another's. */
export interface Dependent {
  /** Name of the member. */
  readonly member: string
  /** Keys of the entries that are made of the entry under `key`. Default: the same key. */
  readonly keys?: ((key: string) => Iterable<string>) | undefined
}

/** What an entry was made of. */
export interface Derivation {
  /** Name of the member that has the source. */
  readonly member: string
  readonly key: string
  /** The source's version then, as `version` of that member gives it now. Default: the source only has to be there. */
  readonly version?: string | undefined
}

/** Options of a member of a {@link CoherenceGroup}. */
export interface MemberOptions<V> {
  readonly cache: CoherentCache<V>
  /** Members whose entries are made of this one's. They may depend on each other in circles. Default: none. */
  readonly dependents?: readonly (string | Dependent)[] | undefined
  /** Version of an entry, for instance a {@link contentKey}. Default: none, entries are only there or not. */
  readonly version?: ((value: V, key: string) => string) | undefined
  /** What an entry was made of, for {@link CoherenceGroup.validate}. Default: not known. */
  readonly derivedFrom?: ((value: V, key: string) => Iterable<Derivation>) | undefined
}
