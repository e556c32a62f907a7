import type { ShardMark } from '../protocol/answer.ts'

/** One operation of the script, as the model takes it. */
export type ModelOperation =
  | { readonly code: 'g' | 'a' | 'u'; readonly key: string }
  | {
      readonly code: 's'
      readonly key: string
      readonly payload: number
      readonly tags: readonly string[]
      readonly fence?: { readonly incarnation: number; readonly epoch: number } | undefined
      /** Server time after which it is refused. */
      readonly deadline: number
    }
  | { readonly code: 'd' | 'x'; readonly key: string }
  | { readonly code: 'D' | 'X'; readonly tag: string }
  | { readonly code: 'C' | 'E' }
  | { readonly code: 'm'; readonly since: number; readonly incarnation: number }

/** What an invalidating call says on the channel. */
export interface ModelMessage {
  readonly incarnation: number
  readonly before: number
  readonly epoch: number
  readonly told: readonly ModelOperation[]
}

/** A read's result: none, or a value, fresh or stale. */
export type ModelRead = { readonly payload: number; readonly stale: boolean } | undefined

/** A result: also a list of what was missed. */
export type ModelResult = ModelRead | number | readonly string[]

export interface ModelReply {
  readonly incarnation: number
  readonly epoch: number
  readonly results: readonly ModelResult[]
  readonly message: ModelMessage | undefined
}

/** A value as it lies there. */
export interface ModelValue {
  readonly payload: number
  readonly tags: readonly string[]
  readonly incarnation: number
  readonly version: number
  expired: boolean
}

/** What lies in Redis, as plain maps: whatever a server may lose can be taken out of them. */
export class ModelServer {
  /** Identity of the server process. */
  node = 1
  /** Its clock. */
  now = 1
  journal: Map<string, number> | undefined
  recent: Map<string, number> | undefined
  values: Map<string, ModelValue> = new Map()

  /** As a replica that has everything until now. */
  copy(): ModelServer {
    const copy = new ModelServer()
    copy.node = this.node
    copy.now = this.now
    copy.journal = this.journal && new Map(this.journal)
    copy.recent = this.recent && new Map(this.recent)
    copy.values = new Map([...this.values].map(([key, value]) => [key, { ...value }]))
    return copy
  }
}

/** What a call says besides its operations. */
export interface ModelCaller {
  /** Number of a new life. */
  readonly born: number
  /** Whether servers are compared, or a new life is begun. */
  readonly check?: 'compare' | 'begin' | undefined
  /** What it has seen. */
  readonly seen?: readonly ShardMark[] | undefined
}

/** Whether a caller has seen what is neither now nor in the past of the state, as far as the notes tell. */
function forked({ journal, recent, now }: ModelServer, seen: readonly ShardMark[]): boolean {
  if (journal === undefined) return false
  const [id, present] = [journal.get('#id')!, journal.get('#epoch')!]
  const floor = recent?.get('#id') === id ? recent.get('#floor')! : Infinity
  return seen.some(({ incarnation, epoch }) => {
    if (incarnation !== id) return epoch > journal.get('#begun')! && epoch <= now + 1_000_000
    if (epoch >= present) return epoch > present
    return epoch > floor && !recent!.has(`v${epoch}`)
  })
}

/** The script in the words of another language; `simulation.test.ts` compares the two on a real server. */
export function applyModel(
  server: ModelServer,
  operations: readonly ModelOperation[],
  { born, check, seen }: ModelCaller,
): ModelReply {
  let journal = server.journal
  if (check === 'compare' && journal?.get('#node') !== server.node) journal = undefined
  const over = check === 'begin' || (seen !== undefined && forked(server, seen))
  if (journal !== undefined && over) {
    journal = undefined
    server.journal = undefined
  }
  const { now } = server
  if (journal === undefined) {
    const begun = Math.max(server.journal?.get('#epoch') ?? 0, now)
    journal = new Map([
      ['#id', born],
      ['#node', server.node],
      ['#epoch', begun],
      ['#begun', begun],
    ])
    server.recent = new Map([
      ['#id', born],
      ['#floor', begun],
    ])
  }
  server.journal = journal
  const id = journal.get('#id')!
  let epoch = journal.get('#epoch')!
  const before = epoch
  const told: ModelOperation[] = []
  const advance = () => {
    epoch = Math.max(epoch + 1, now)
    return epoch
  }
  const openRecent = (): Map<string, number> => {
    if (server.recent?.get('#id') !== id) {
      server.recent = new Map([
        ['#id', id],
        ['#floor', advance()],
      ])
    }
    return server.recent!
  }
  const judge = (value: ModelValue): 'dead' | 'fresh' | 'stale' => {
    if (value.incarnation !== id || value.version < (journal.get('#cleared') ?? 0)) return 'dead'
    let stale = value.expired || value.version < (journal.get('#expired') ?? 0)
    for (const tag of value.tags) {
      if ((journal.get(`d${tag}`) ?? 0) > value.version) return 'dead'
      stale ||= (journal.get(`e${tag}`) ?? 0) > value.version
    }
    return stale ? 'stale' : 'fresh'
  }
  const versionOf = (value: ModelValue) => (value.incarnation === id ? value.version : -1)
  const results = operations.map((operation): ModelResult => {
    switch (operation.code) {
      case 'g': {
        const value = server.values.get(operation.key)
        const verdict = value && judge(value)
        if (value === undefined || verdict === 'dead') return undefined
        return { payload: value.payload, stale: verdict === 'stale' }
      }
      case 'a': {
        const value = server.values.get(operation.key)
        return value !== undefined && judge(value) !== 'dead' ? 1 : 0
      }
      case 'u': {
        const value = server.values.get(operation.key)
        if (value === undefined) return 0
        if (versionOf(value) >= Math.max(journal.get('#cleared') ?? 0, 0)) return 0
        server.values.delete(operation.key)
        return 1
      }
      case 's': {
        const { key, payload, tags, fence, deadline } = operation
        if (now > deadline) return 2
        if (fence !== undefined) {
          if (fence.incarnation !== id) return 0
          const notes = openRecent()
          const { epoch: at } = fence
          if (at > epoch) return 0
          if (at < (journal.get('#cleared') ?? 0) || at < (journal.get('#expired') ?? 0)) return 0
          if ((notes.get(`k${key}`) ?? notes.get('#floor')!) > at) return 0
          const present = server.values.get(key)
          if (present !== undefined && versionOf(present) > at) return 0
          for (const tag of tags) {
            if ((journal.get(`d${tag}`) ?? 0) > at || (journal.get(`e${tag}`) ?? 0) > at) return 0
          }
        }
        const version = fence?.epoch ?? advance()
        server.values.set(key, { payload, tags, incarnation: id, version, expired: false })
        if (fence === undefined) {
          openRecent().set(`k${key}`, version)
          told.push(operation)
        }
        return 1
      }
      case 'd':
      case 'x': {
        const { code, key } = operation
        const value = server.values.get(key)
        const there =
          value !== undefined &&
          value.incarnation === id &&
          value.version >= (journal.get('#cleared') ?? 0)
        if (code === 'd') server.values.delete(key)
        else if (there) value.expired = true
        const version = advance()
        openRecent().set(`k${key}`, version)
        told.push(operation)
        return there ? 1 : 0
      }
      case 'm': {
        const { since, incarnation } = operation
        const notes = server.recent
        if (incarnation !== id || notes?.get('#id') !== id || notes.get('#floor')! > since) return 0
        const cleared = (journal.get('#cleared') ?? 0) > since
        const names = cleared ? ['C'] : (journal.get('#expired') ?? 0) > since ? ['E'] : []
        for (const list of [journal, notes]) {
          for (const [name, version] of list)
            if (version > since && !/^[#v]/.test(name)) names.push(name)
        }
        return names
      }
      case 'D':
      case 'X':
        journal.set(`${operation.code === 'D' ? 'd' : 'e'}${operation.tag}`, advance())
        told.push(operation)
        return 1
      default:
        journal.set(operation.code === 'C' ? '#cleared' : '#expired', advance())
        told.push(operation)
        return 1
    }
  })
  if (epoch !== before) {
    openRecent().set(`v${epoch}`, epoch)
    journal.set('#epoch', epoch)
  }
  const message = told.length === 0 ? undefined : { incarnation: id, before, epoch, told }
  return { incarnation: id, epoch, results, message }
}
