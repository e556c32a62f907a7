import { fileURLToPath } from 'node:url'
import protobuf from 'protobufjs'

const folder = fileURLToPath(new URL('../../official-protos/', import.meta.url))

/** A message type of the protocols' own definitions. */
export async function officialType(file: string, type: string): Promise<protobuf.Type> {
  const root = new protobuf.Root()
  root.resolvePath = (_, target) =>
    target.startsWith('google/') || target.startsWith('/') ? target : folder + target
  await root.load(file)
  return root.lookupType(type)
}

/** A decoded message of any shape: the tests say what they expect of it. */
// biome-ignore lint/suspicious/noExplicitAny: as above
export type Decoded = any

/** Decodes to plain objects: 64-bit integers as decimal strings, bytes as base64. */
export function decoded(type: protobuf.Type, bytes: Uint8Array): Decoded {
  return type.toObject(type.decode(bytes), { longs: String, bytes: String, enums: String })
}
