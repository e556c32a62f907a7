import { type FetchCase, outcome } from './fetch-case.fixture.ts'

const redirect = (status: number, location?: string): string =>
  `/redirect?status=${status}${location === undefined ? '' : `&location=${encodeURIComponent(location)}`}`

const described = ['content-type', 'content-language', 'content-location'] as const

function redirectMethod(
  status: number,
  method: string,
  expected: string,
  body?: string | Blob,
): FetchCase {
  const keepsBody = expected === method && body !== undefined
  return [
    `redirect ${status} with ${method}${body === undefined ? '' : ` and a ${typeof body === 'string' ? 'string' : 'blob'}`}`,
    async ({ fetch }, base) => {
      const response = await fetch(base + redirect(status, '/echo'), {
        method,
        ...(body === undefined ? undefined : { body }),
        headers: { 'content-language': 'en-US', 'content-location': 'foo' },
      })
      const { status: final, redirected, type } = response
      if (method === 'HEAD') return { final, redirected, type }
      const seen = JSON.parse(await response.text())
      const kept = described.filter(name => name in seen.headers)
      return { final, redirected, type, method: seen.method, body: seen.body, kept }
    },
    {
      final: 200,
      redirected: true,
      type: 'basic',
      ...(method === 'HEAD'
        ? undefined
        : {
            method: expected,
            body: keepsBody ? (typeof body === 'string' ? body : 'a blob') : '',
            kept:
              expected === method
                ? described.filter(name => name !== 'content-type' || typeof body === 'string')
                : [],
          }),
    },
  ]
}

const statuses = [301, 302, 303, 307, 308]

/** Of web-platform-tests under fetch/api/redirect what needs no browser; the words are ours. */
export const redirectCases: readonly FetchCase[] = [
  ...[301, 302].flatMap(status => [
    redirectMethod(status, 'GET', 'GET'),
    redirectMethod(status, 'POST', 'GET', 'this is my body'),
    redirectMethod(status, 'HEAD', 'HEAD'),
  ]),
  redirectMethod(303, 'GET', 'GET'),
  redirectMethod(303, 'POST', 'GET', 'this is my body'),
  redirectMethod(303, 'HEAD', 'HEAD'),
  redirectMethod(303, 'PUT', 'GET', 'this is my body'),
  ...[307, 308].flatMap(status => [
    redirectMethod(status, 'GET', 'GET'),
    redirectMethod(status, 'POST', 'POST', 'this is my body'),
    redirectMethod(status, 'POST', 'POST', new Blob(['a blob'])),
    redirectMethod(status, 'HEAD', 'HEAD'),
  ]),
  [
    'redirect 307 with a stream',
    ({ fetch }, base) => {
      const body = new ReadableStream({
        start: controller => {
          controller.enqueue(new TextEncoder().encode('x'))
          controller.close()
        },
      })
      const init = { method: 'POST', body, duplex: 'half' } as RequestInit
      return outcome(fetch(base + redirect(307, '/echo'), init))
    },
    'TypeError',
  ],
  ...statuses.flatMap((status): FetchCase[] => [
    [
      `redirect ${status} without location`,
      async ({ fetch }, base) => (await fetch(base + redirect(status))).status,
      status,
    ],
    [
      `redirect ${status} to an invalid location`,
      ({ fetch }, base) => outcome(fetch(base + redirect(status, 'http://#invalid'))),
      'TypeError',
    ],
    [
      `redirect ${status} to data:`,
      ({ fetch }, base) => outcome(fetch(base + redirect(status, 'data:,data'))),
      'TypeError',
    ],
    [
      `redirect ${status} in mode error`,
      ({ fetch }, base) => outcome(fetch(base + redirect(status, '/echo'), { redirect: 'error' })),
      'TypeError',
    ],
    [
      `redirect ${status} in mode manual`,
      async ({ fetch }, base) => {
        const response = await fetch(base + redirect(status, '/echo'), { redirect: 'manual' })
        return [response.redirected, await response.text()]
      },
      [false, ''],
    ],
  ]),
  ...['mailto:a@b.c', 'about:blank', 'file:///etc/hosts', 'blob:djfksfjs'].map(
    (location): FetchCase => [
      `redirect to ${location}`,
      ({ fetch }, base) => outcome(fetch(base + redirect(302, location))),
      'TypeError',
    ],
  ),
  ...statuses.map(
    (status): FetchCase => [
      `twenty redirects ${status}`,
      async ({ fetch }, base) =>
        (await fetch(`${base}/redirect?count=20&status=${status}&location=/echo`)).status,
      200,
    ],
  ),
  ...statuses.map(
    (status): FetchCase => [
      `twenty-one redirects ${status}`,
      ({ fetch }, base) =>
        outcome(fetch(`${base}/redirect?count=21&status=${status}&location=/echo`)),
      'TypeError',
    ],
  ),
  [
    'the URL of a response is where a redirect leads, without a fragment',
    async ({ fetch }, base) => {
      const { url } = await fetch(`${base}${redirect(302, '/echo')}#fragment`)
      return url.slice(base.length)
    },
    '/echo',
  ],
  [
    'credentials stay with their origin',
    async ({ fetch }, base) => {
      const other = base.replace('127.0.0.1', 'localhost')
      const headers = { authorization: 'secret', cookie: 'secret' }
      const response = await fetch(base + redirect(302, `${other}/echo`), { headers })
      const seen = JSON.parse(await response.text()).headers
      return [seen.authorization ?? null, seen.cookie ?? null]
    },
    [null, null],
  ],
]
