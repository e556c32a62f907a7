/** What the demo keeps of a package's registry document. Plain data, so that every store can hold it. */
export interface PackageDocument {
  readonly name: string
  readonly latest: string
  readonly versions: readonly string[]
  readonly description: string
  readonly license: string
  /** Dependencies of the latest version. */
  readonly dependencies: readonly string[]
}

/** A cached answer: a document, or that the registry has none of that name. */
export interface RegistryAnswer {
  readonly document: PackageDocument | undefined
  readonly etag: string | undefined
}

/**
 * Reduces what a registry sent. Registries are not trusted to follow their own format: what is missing or of another type
 * comes out empty.
 *
 * @returns undefined for what has no versions: that is no document of a package
 */
export function toDocument(name: string, json: unknown): PackageDocument | undefined {
  const versions = record(json).versions
  if (!isRecord(versions)) return undefined
  const latest =
    text(record(record(json)['dist-tags']).latest) || (Object.keys(versions).at(-1) ?? '')
  const manifest = record(versions[latest])
  return {
    name,
    latest,
    versions: Object.keys(versions),
    description: text(manifest.description),
    license: text(manifest.license),
    dependencies: Object.keys(record(manifest.dependencies)),
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const record = (value: unknown): Record<string, unknown> => (isRecord(value) ? value : {})
const text = (value: unknown): string => (typeof value === 'string' ? value : '')
