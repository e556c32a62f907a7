const LONGEST = 214

/**
 * Whether a registry can have a package of this name. Names come from manifests and imports, which others wrote: what is no name of a
 * package, such as `..` or `\\host\path`, must not reach a URL.
 */
export function isPackageName(name: string): boolean {
  return name.length <= LONGEST && /^(?:@[a-z0-9~-][\w.~-]*\/)?[a-z0-9~-][\w.~-]*$/i.test(name)
}

/**
 * Where a registry has the document of a package.
 *
 * @param base with or without a slash at its end
 * @param name one that {@link isPackageName} accepts: nothing in it but the slash means anything in a URL
 */
export function packageUrl(base: URL, name: string): URL {
  const folder = base.href.endsWith('/') ? base.href : `${base.href}/`
  return new URL(folder + name.replace('/', '%2F'))
}
