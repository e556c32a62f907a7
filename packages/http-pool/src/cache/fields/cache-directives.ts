/** The directives of a `Cache-Control`, each as it stands there. A comma within quotes parts none. */
export function cacheDirectives(value: string): string[] {
  return value.match(/(?:[^,"]|"(?:[^"\\]|\\.)*"?)+/g)?.map(each => each.trim()) ?? []
}

/** The name of a directive, in lower case. */
export function directiveName(directive: string): string {
  return directive.split('=', 1)[0]!.trim().toLowerCase()
}
