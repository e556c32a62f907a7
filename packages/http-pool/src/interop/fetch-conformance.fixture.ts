import { type FetchCase, outcome } from './fetch-case.fixture.ts'

function aborted(): AbortSignal {
  return AbortSignal.abort()
}

const bodyMethods = ['arrayBuffer', 'blob', 'formData', 'json', 'text'] as const

/** Of web-platform-tests under fetch/api what needs no browser, but for redirects: abort, body, headers, response. The words are ours. */
export const fetchCases: readonly FetchCase[] = [
  [
    'an aborted signal rejects',
    ({ fetch }, base) => outcome(fetch(`${base}/echo`, { signal: aborted() })),
    'AbortError',
  ],
  [
    'an aborted signal of a request rejects',
    ({ fetch, Request }, base) =>
      outcome(fetch(new Request(`${base}/echo`, { signal: aborted() }))),
    'AbortError',
  ],
  [
    'the signal of a request is kept beside other options',
    ({ fetch, Request }, base) =>
      outcome(fetch(new Request(`${base}/echo`, { signal: aborted() }), { method: 'POST' })),
    'AbortError',
  ],
  [
    'null takes a signal away',
    async ({ fetch, Request }, base) =>
      (await fetch(new Request(`${base}/echo`, { signal: aborted() }), { signal: null })).status,
    200,
  ],
  [
    'the reason of an abort is what it rejects with',
    async ({ fetch }, base) => {
      const reason = new Error('mine')
      const error = await fetch(`${base}/echo`, { signal: AbortSignal.abort(reason) }).catch(
        each => each,
      )
      return error === reason
    },
    true,
  ],
  [
    'a request whose signal is aborted is used all the same',
    async ({ fetch, Request }, base) => {
      const request = new Request(`${base}/echo`, { signal: aborted(), method: 'POST', body: 'x' })
      await outcome(fetch(request))
      return request.bodyUsed
    },
    true,
  ],
  [
    'an aborted signal makes no request',
    async ({ fetch }, base) => {
      await outcome(fetch(`${base}/endless`, { signal: aborted() }))
      return (await fetch(`${base}/open`)).text()
    },
    '0',
  ],
  [
    'one signal ends several',
    async ({ fetch }, base) => {
      const controller = new AbortController()
      const { signal } = controller
      await (await fetch(`${base}/echo`, { signal })).text()
      const all = [1, 2, 3].map(() => fetch(`${base}/redirect?location=/endless`, { signal }))
      controller.abort()
      return Promise.all(all.map(outcome))
    },
    ['AbortError', 'AbortError', 'AbortError'],
  ],
  ...bodyMethods.flatMap((method): FetchCase[] => [
    [
      `${method}() rejects after an abort`,
      async ({ fetch }, base) => {
        const controller = new AbortController()
        const response = await fetch(`${base}/endless`, { signal: controller.signal })
        controller.abort()
        return outcome(response[method]())
      },
      'AbortError',
    ],
    [
      `an abort ends ${method}() and its connection`,
      async ({ fetch }, base) => {
        const controller = new AbortController()
        const response = await fetch(`${base}/endless`, { signal: controller.signal })
        const ended = outcome(response[method]())
        controller.abort()
        const name = await ended
        for (;;) if ((await (await fetch(`${base}/open`)).text()) === '0') return name
      },
      'AbortError',
    ],
  ]),
  [
    'an abort ends a reader',
    async ({ fetch }, base) => {
      const controller = new AbortController()
      const response = await fetch(`${base}/endless`, { signal: controller.signal })
      const reader = response.body!.getReader()
      await reader.read()
      controller.abort()
      return Promise.all([outcome(reader.read()), outcome(reader.closed)])
    },
    ['AbortError', 'AbortError'],
  ],
  [
    'a cancelled body ends its connection',
    async ({ fetch }, base) => {
      const response = await fetch(`${base}/endless`)
      await response.body!.cancel()
      for (;;) if ((await (await fetch(`${base}/open`)).text()) === '0') return 'ended'
    },
    'ended',
  ],
  [
    'an aborted signal cancels the body of an upload',
    async ({ fetch }, base) => {
      let reason: unknown
      const body = new ReadableStream({
        pull: controller => controller.enqueue(new Uint8Array([42])),
        cancel: each => {
          reason = each
        },
      })
      const init = { method: 'POST', body, signal: aborted(), duplex: 'half' } as RequestInit
      const error = await fetch(`${base}/echo`, init).catch(each => each)
      return reason === error
    },
    true,
  ],

  ...(
    [
      ['a string', () => 'text', 'text/plain;charset=UTF-8'],
      [
        'URLSearchParams',
        () => new URLSearchParams('a=1'),
        'application/x-www-form-urlencoded;charset=UTF-8',
      ],
      ['a blob with a type', () => new Blob(['x'], { type: 'text/a' }), 'text/a'],
      ['a blob without one', () => new Blob(['x']), null],
      ['bytes', () => new Uint8Array(3), null],
    ] as const
  ).map(
    ([name, makeBody, type]): FetchCase => [
      `the type of ${name}`,
      async ({ fetch }, base) => {
        const response = await fetch(`${base}/echo`, { method: 'POST', body: makeBody() as never })
        return JSON.parse(await response.text()).headers['content-type'] ?? null
      },
      type,
    ],
  ),
  [
    'a type that is given stays',
    async ({ fetch }, base) => {
      const headers = { 'content-type': 'text/mine' }
      const response = await fetch(`${base}/echo`, { method: 'POST', body: 'x', headers })
      return JSON.parse(await response.text()).headers['content-type']
    },
    'text/mine',
  ],
  [
    'a form is sent as multipart, with names escaped',
    async ({ fetch, FormData }, base) => {
      const body = new FormData()
      body.append('a\nb"c', 'one\ntwo')
      body.append('file', new Blob(['content'], { type: 'text/a' }), 'name "x".txt')
      const response = await fetch(`${base}/echo`, { method: 'POST', body })
      const { body: sent, headers } = JSON.parse(await response.text())
      const boundary = /boundary=(.+)/.exec(headers['content-type'])![1]!
      return sent.replaceAll(boundary, 'B')
    },
    '--B\r\nContent-Disposition: form-data; name="a%0D%0Ab%22c"\r\n\r\none\r\ntwo\r\n--B\r\nContent-Disposition: form-data; name="file"; filename="name %22x%22.txt"\r\nContent-Type: text/a\r\n\r\ncontent\r\n--B--\r\n',
  ],
  [
    'GET with a body is refused',
    ({ fetch }, base) => outcome(fetch(`${base}/echo`, { method: 'GET', body: 'x' })),
    'TypeError',
  ],

  [
    'repeated fields are joined, cookies are not',
    async ({ fetch }, base) => {
      const { headers } = await fetch(`${base}/fields`)
      return [headers.get('x-twice'), headers.getSetCookie()]
    },
    ['one, two', ['a=1', 'b=2']],
  ],
  [
    'values are trimmed, names in any case',
    async ({ fetch, Headers }, base) => {
      const headers = new Headers({ 'X-Name': ' \tvalue \t' })
      const response = await fetch(`${base}/echo`, { headers })
      return JSON.parse(await response.text()).headers['x-name']
    },
    'value',
  ],
  ...['a\0b', 'a\nb', 'a\rb', 'ÿĀ'].map(
    (value): FetchCase => [
      `a header value ${JSON.stringify(value)} is refused`,
      async ({ fetch }, base) => outcome(fetch(`${base}/echo`, { headers: { 'x-a': value } })),
      'TypeError',
    ],
  ),
  [
    'a header name of the platform’s own',
    async ({ fetch }, base) => {
      const response = await fetch(`${base}/echo`, {
        headers: { __proto__x: '1', constructor: '2' },
      })
      const { headers } = JSON.parse(await response.text())
      return [headers.__proto__x, headers.constructor]
    },
    ['1', '2'],
  ],

  ...[204, 205, 304].map(
    (status): FetchCase => [
      `${status} has no body`,
      async ({ fetch }, base) => {
        const response = await fetch(`${base}/status?code=${status}`)
        return [response.status, response.body, await response.text()]
      },
      [status, null, ''],
    ],
  ),
  [
    'a status and its text',
    async ({ fetch }, base) => {
      const { status, statusText, ok } = await fetch(`${base}/status?code=418&text=tea`)
      return [status, statusText, ok]
    },
    [418, 'tea', false],
  ],
  [
    'a HEAD has no body',
    async ({ fetch }, base) => (await fetch(`${base}/echo`, { method: 'HEAD' })).text(),
    '',
  ],
  [
    'a body that breaks off is an error',
    async ({ fetch }, base) => outcome((await fetch(`${base}/cut`)).text()),
    'TypeError',
  ],
  [
    'text() drops a byte order mark and mends what is no UTF-8',
    async ({ fetch }, base) => (await fetch(`${base}/bytes?hex=efbbbf61ff`)).text(),
    'a\ufffd',
  ],
  [
    'json() of nothing is an error',
    async ({ fetch }, base) => outcome((await fetch(`${base}/bytes`)).json()),
    'SyntaxError',
  ],
  [
    'a clone has all of it',
    async ({ fetch }, base) => {
      const response = await fetch(`${base}/bytes?hex=616263`)
      const copy = response.clone()
      return Promise.all([response.text(), copy.text()])
    },
    ['abc', 'abc'],
  ],
  [
    'a body is read once',
    async ({ fetch }, base) => {
      const response = await fetch(`${base}/bytes?hex=61`)
      await response.text()
      return [response.bodyUsed, await outcome(response.text())]
    },
    [true, 'TypeError'],
  ],
  [
    'blob() has the type of the response',
    async ({ fetch }, base) => (await (await fetch(`${base}/bytes?type=text/a`)).blob()).type,
    'text/a',
  ],
  [
    'formData() reads what was urlencoded',
    async ({ fetch }, base) => {
      const type = encodeURIComponent('application/x-www-form-urlencoded')
      const response = await fetch(`${base}/bytes?hex=613d31&type=${type}`)
      return [...(await response.formData()).entries()]
    },
    [['a', '1']],
  ],
  [
    'the response is one of the platform’s',
    async ({ fetch, Response, Headers }, base) => {
      const response = await fetch(`${base}/echo`)
      return [response instanceof Response, response.headers instanceof Headers]
    },
    [true, true],
  ],
]
