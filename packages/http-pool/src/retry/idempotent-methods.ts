/** RFC 9110 section 9.2.2, and QUERY, which is safe by definition. */
export const idempotentMethods: readonly string[] = [
  'GET',
  'HEAD',
  'OPTIONS',
  'TRACE',
  'PUT',
  'DELETE',
  'QUERY',
]
