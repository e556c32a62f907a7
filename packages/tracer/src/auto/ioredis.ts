import { type Attributes, SpanKind } from '../span/api/span.ts'
import type { Tracer } from '../tracer/tracer.ts'
import { batchSize } from './database-attributes.ts'
import { traceOperation } from './operation-spans.ts'

/** What ioredis 6 publishes. Arguments are left out: they hold keys and values of users. */
interface CommandMessage {
  readonly command?: string
  readonly batchMode?: string
  readonly batchSize?: number
  readonly database?: number
  readonly serverAddress: string
  readonly serverPort: number | undefined
  readonly error?: unknown
}

/** Spans of ioredis commands and transactions (ioredis 6 or later). */
export function traceIoredis(tracer: Tracer, roots: boolean): () => void {
  const command = traceOperation<CommandMessage>(
    tracer,
    {
      ...channels('command'),
      name: ({ command: name }) => name?.toUpperCase() ?? 'redis',
      options: message => ({
        kind: SpanKind.CLIENT,
        attributes: { ...server(message), 'db.operation.name': message.command?.toUpperCase() },
      }),
    },
    roots,
  )
  const batch = traceOperation<CommandMessage>(
    tracer,
    {
      ...channels('batch'),
      name: ({ batchMode }) => batchMode ?? 'PIPELINE',
      options: message => ({
        kind: SpanKind.CLIENT,
        attributes: {
          ...server(message),
          'db.operation.name': message.batchMode,
          'db.operation.batch.size': batchSize(message.batchSize),
        },
      }),
    },
    roots,
  )
  return () => {
    command()
    batch()
  }
}

function channels(name: string): { start: string; ends: string[] } {
  const prefix = `tracing:ioredis:${name}`
  // A promise settles with asyncEnd; an exception before there is one ends with error.
  return { start: `${prefix}:start`, ends: [`${prefix}:asyncEnd`, `${prefix}:error`] }
}

function server({ database, serverAddress, serverPort }: CommandMessage): Attributes {
  return {
    'db.system.name': 'redis',
    'db.namespace': database === undefined ? undefined : String(database),
    'server.address': serverAddress,
    'server.port': serverPort,
  }
}
