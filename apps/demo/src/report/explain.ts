const explanations: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or folder',
  EACCES: 'permission denied',
  EPERM: 'not permitted',
  ENOTDIR: 'a part of the path is not a folder',
  ENOSPC: 'no space left on the device',
  EMFILE: 'too many open files',
  ELOOP: 'too many symbolic links',
  ECONNREFUSED: 'connection refused',
  ENOTFOUND: 'no such host',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS',
}

/** What went wrong, in the words of a sentence. */
export function explain(problem: string | Error | undefined): string {
  if (problem === undefined) return 'unknown reason'
  if (typeof problem === 'string') return explanations[problem] ?? problem
  const { code } = problem as NodeJS.ErrnoException
  return (code && explanations[code]) || problem.message
}
