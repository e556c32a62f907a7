import type { HttpCacheOptions } from './cache-options.ts'

type Fields = Readonly<Record<string, string | readonly string[]>>

/** One request of a case, and what has to come of it. */
export interface Step {
  /** Seconds since the request before. */
  readonly after?: number
  readonly send?: Fields
  /** What the origin answers, if it is asked. A number stands for a date so many seconds from then. */
  readonly answer?: Readonly<Record<string, string | number | readonly string[]>>
  /**
   * - `stored`: the origin is not asked
   * - `fetched`: it is asked, without conditions
   * - `unused`: it is asked, and answers anew, whether or not there are conditions
   * - `validated`: it is asked by a validator of the response before, and answers 304
   */
  readonly from: 'stored' | 'fetched' | 'validated' | 'unused'
  readonly status?: number
  readonly text?: string
  /** Headers that the response has to have; undefined: must not have. */
  readonly has?: Readonly<Record<string, string | undefined>>
  /** Headers that the origin has to get. */
  readonly sent?: Fields
}

/** A case of cache-tests, by its name there. */
interface ConformanceCase {
  readonly id: string
  readonly options: HttpCacheOptions
  readonly steps: readonly Step[]
}

const shared: HttpCacheOptions = { type: 'shared' }
const cdn: HttpCacheOptions = { type: 'shared', targets: ['CDN-Cache-Control'] }
const fresh = { 'cache-control': 'max-age=100000', date: 0 }
const whole = '0123456789A'

/** A response is kept, and asked for again after three seconds. */
function again(
  id: string,
  from: Step['from'],
  answer: Step['answer'],
  second: Omit<Step, 'from'> = {},
  options: HttpCacheOptions = shared,
): ConformanceCase {
  const first: Step = { from: 'fetched', ...(answer && { answer }), text: whole }
  return { id, options, steps: [first, { after: 3, from, ...second }] }
}

const delivery = (id: string, from: Step['from'], answer: Step['answer']): ConformanceCase =>
  again(id, from, answer, {}, cdn)

/** A request of the caller's own condition, and the 304 that what is stored gives it. */
const condition = (id: string, answer: Step['answer'], send: Fields): ConformanceCase =>
  again(id, 'stored', { ...fresh, ...answer }, { send, status: 304, text: '' })

const part = (id: string, range: string, text: string): ConformanceCase =>
  again(id, 'stored', { 'cache-control': 'max-age=3600' }, { send: { range }, status: 206, text })

function negotiated(
  id: string,
  first: string | readonly string[],
  second: string | readonly string[],
  from: Step['from'],
  name = 'accept-language',
): ConformanceCase {
  const answer = { 'cache-control': 'max-age=5000', vary: name, date: 0 }
  const steps: Step[] = [
    { send: { [name]: first }, answer, from: 'fetched' },
    { after: 3, send: { [name]: second }, answer, from },
  ]
  return { id, options: shared, steps }
}

/** Years ahead, at noon of a Thursday. */
const expires = (id: string, value: string, from: Step['from']): ConformanceCase =>
  again(id, from, { expires: value, date: 0 })

/**
 * Those cases of cache-tests, as of its repository in July 2026, that its package on npm lacks or asks otherwise, and those that
 * undici's cache alone fails. The words are ours.
 */
export const conformanceCases: readonly ConformanceCase[] = [
  again('freshness-max-age-stale', 'unused', { 'cache-control': 'max-age=2', date: 0 }),
  ...['2147483647', '2147483648', '2147483649'].map(age =>
    again(`age-parse-large (${age})`, 'fetched', { 'cache-control': 'max-age=3600', age, date: 0 }),
  ),
  ...['no-store', 'no-store, max-age=0'].map(
    (control): ConformanceCase => ({
      id: `cc-resp-no-store-old-new (${control})`,
      options: shared,
      steps: [
        {
          answer: { 'cache-control': 'max-age=10000', expires: 10_000, date: 0, a: '1' },
          from: 'fetched',
        },
        {
          after: 3,
          answer: { 'cache-control': control, date: 0, a: '2' },
          from: 'stored',
          has: { a: '1' },
        },
        { after: 3, from: 'stored', has: { a: '1' } },
      ],
    }),
  ),
  {
    id: 'stale-while-revalidate-window',
    options: shared,
    steps: [
      {
        answer: { 'cache-control': 'max-age=1, stale-while-revalidate=4', etag: '"abc"' },
        from: 'fetched',
      },
      { after: 9, answer: { 'cache-control': 'no-cache', etag: '"abc"' }, from: 'validated' },
    ],
  },
  again('other-date-update-expires', 'stored', { expires: 2_592_000, date: 0 }),
  again('status-200-must-understand', 'stored', {
    'cache-control': 'max-age=3600, no-store, must-understand',
  }),

  condition(
    'conditional-etag-strong-respond',
    { etag: '"abcdef"' },
    { 'if-none-match': '"abcdef"' },
  ),
  condition(
    'conditional-etag-weak-respond',
    { etag: 'W/"abcdef"' },
    { 'if-none-match': 'W/"abcdef"' },
  ),
  ...['"abcdef", "1234", "5678"', '"1234", "abcdef", "5678"', '"1234", "5678", "abcdef"'].map(
    tags =>
      condition(
        `conditional-etag-strong-respond-multiple (${tags})`,
        { etag: '"abcdef"' },
        { 'if-none-match': tags },
      ),
  ),
  again(
    'conditional-304-etag',
    'stored',
    { ...fresh, etag: '"abcdef"' },
    {
      send: { 'if-none-match': '"abcdef"' },
      status: 304,
      has: { etag: '"abcdef"', 'cache-control': 'max-age=100000', 'content-length': undefined },
      text: '',
    },
  ),
  condition(
    'conditional-etag-precedence',
    { etag: '"abcdef"', 'last-modified': 'Sun, 06 Nov 1994 08:49:37 GMT' },
    { 'if-none-match': '"abcdef"', 'if-modified-since': 'Sun, 06 Nov 1993 08:49:37 GMT' },
  ),
  again(
    'a tag of another entity',
    'stored',
    { ...fresh, etag: '"abcdef"' },
    {
      send: { 'if-none-match': '"1234"', 'if-modified-since': 'Sun, 06 Nov 2044 08:49:37 GMT' },
      status: 200,
      text: whole,
    },
  ),
  ...[
    ['conditional-lm-fresh', 'Sun, 06 Nov 1994 08:49:37 GMT'],
    ['conditional-lm-fresh-earlier', 'Sun, 06 Nov 1994 08:59:37 GMT'],
    ['conditional-lm-fresh-rfc850', 'Sunday, 06-Nov-94 08:49:37 GMT'],
  ].map(([id, since]) =>
    condition(
      id!,
      { 'last-modified': 'Sun, 06 Nov 1994 08:49:37 GMT' },
      { 'if-modified-since': since! },
    ),
  ),
  again(
    'conditional-lm-stale',
    'validated',
    { 'cache-control': 'max-age=2', date: 0, 'last-modified': 'Sun, 06 Nov 1994 08:49:37 GMT' },
    { send: { 'if-modified-since': 'Sun, 06 Nov 1994 08:49:37 GMT' }, status: 304, text: '' },
  ),
  {
    id: 'conditional-etag-vary-headers',
    options: shared,
    steps: [
      {
        send: { abc: '123' },
        answer: { expires: 1, etag: '"abcdef"', date: 0, vary: 'Abc' },
        from: 'fetched',
      },
      { after: 3, send: { abc: '123' }, from: 'validated', sent: { abc: '123' } },
    ],
  },
  {
    id: '304-etag-update-response-Cache-Control',
    options: shared,
    steps: [
      { answer: { 'cache-control': 'max-age=1', date: 0, etag: '"abcdef"' }, from: 'fetched' },
      {
        after: 3,
        answer: { 'cache-control': 'max-age=3600', date: 0 },
        from: 'validated',
        has: { 'cache-control': 'max-age=3600' },
      },
      { after: 3, from: 'stored', has: { 'cache-control': 'max-age=3600' } },
    ],
  },

  part('partial-store-complete-reuse-partial', 'bytes=0-1', '01'),
  part('partial-store-complete-reuse-partial-no-last', 'bytes=1-', '123456789A'),
  part('partial-store-complete-reuse-partial-suffix', 'bytes=-1', 'A'),
  again(
    'partial-use-stored-headers',
    'stored',
    { 'cache-control': 'max-age=3600', a: '1' },
    {
      send: { range: 'bytes=0-1' },
      status: 206,
      has: { a: '1', 'content-range': 'bytes 0-1/11', 'content-length': '2' },
      text: '01',
    },
  ),
  again(
    'a range beyond the end',
    'stored',
    { 'cache-control': 'max-age=3600' },
    {
      send: { range: 'bytes=11-' },
      status: 416,
      has: { 'content-range': 'bytes */11' },
      text: '',
    },
  ),
  again(
    'a part of another body',
    'stored',
    { 'cache-control': 'max-age=3600', etag: '"abcdef"' },
    {
      send: { range: 'bytes=0-1', 'if-range': '"1234"' },
      status: 200,
      text: whole,
    },
  ),

  negotiated('vary-normalise-lang-case', 'en, de', 'eN, De', 'stored'),
  negotiated('vary-normalise-lang-space', 'en, de', ' en ,   de', 'stored'),
  negotiated('vary-normalise-combine', ['1', '2'], '1, 2', 'stored', 'foo'),
  negotiated('vary-normalise-combine', 'en, de', ['en', 'de'], 'stored'),
  negotiated('vary-normalise-combine', ['1', '2'], '2, 1', 'fetched', 'foo'),
  // Servers may go by the order where qualities are equal: another order may be another answer.
  negotiated('vary-normalise-lang-order', 'en, de', 'de, en', 'fetched'),

  expires('freshness-expires-ansi-c', 'Thu Aug  8 02:01:18 2050', 'stored'),
  expires('freshness-expires-wrong-case-weekday', 'THU, 18 Aug 2050 02:01:18 GMT', 'stored'),
  expires('freshness-expires-wrong-case-month', 'Thu, 18 AUG 2050 02:01:18 GMT', 'stored'),
  expires('freshness-expires-wrong-case-tz', 'Thu, 18 Aug 2050 02:01:18 gMT', 'stored'),
  expires('freshness-expires-invalid-date', 'Thu, 31 Feb 2050 02:01:18 GMT', 'fetched'),
  expires(
    'freshness-expires-invalid-multiple-spaces',
    'Thu,  18  Aug  2050 02:01:18 GMT',
    'fetched',
  ),
  expires('freshness-expires-invalid-aest', 'Thu, 18 Aug 2050 02:01:18 AEST', 'fetched'),

  delivery('cdn-max-age', 'stored', { 'cdn-cache-control': 'max-age=3600' }),
  delivery('cdn-max-age-max', 'stored', { 'cdn-cache-control': 'max-age=2147483648' }),
  delivery('cdn-max-age-max-plus', 'stored', { 'cdn-cache-control': 'max-age=99999999999' }),
  delivery('cdn-max-age-age', 'fetched', {
    'cdn-cache-control': 'max-age=3600',
    age: '7200',
    date: 0,
  }),
  delivery('cdn-max-age-0', 'fetched', { 'cdn-cache-control': 'max-age=0' }),
  delivery('cdn-max-age-extension', 'stored', { 'cdn-cache-control': 'foobar, max-age=3600' }),
  delivery('cdn-max-age-expires', 'stored', {
    'cdn-cache-control': 'max-age=3600',
    expires: -10_000,
    date: 0,
  }),
  delivery('cdn-max-age-cc-max-age-invalid-expires', 'stored', {
    'cdn-cache-control': 'max-age=3600',
    expires: '0',
    date: 0,
  }),
  delivery('cdn-max-age-0-expires', 'fetched', {
    'cdn-cache-control': 'max-age=0',
    expires: 10_000,
    date: 0,
  }),
  delivery('cdn-max-age-short-cc-max-age', 'stored', {
    'cdn-cache-control': 'max-age=3600',
    'cache-control': 'max-age=1',
  }),
  delivery('cdn-max-age-long-cc-max-age', 'fetched', {
    'cdn-cache-control': 'max-age=1',
    'cache-control': 'max-age=3600',
  }),
  delivery('cdn-private', 'fetched', {
    'cdn-cache-control': 'private',
    'cache-control': 'max-age=10000',
  }),
  delivery('cdn-no-cache', 'fetched', {
    'cdn-cache-control': 'no-cache',
    'cache-control': 'max-age=10000',
  }),
  delivery('cdn-no-store-cc-fresh', 'fetched', {
    'cdn-cache-control': 'no-store',
    'cache-control': 'max-age=10000',
  }),
  delivery('cdn-fresh-cc-nostore', 'stored', {
    'cdn-cache-control': 'max-age=10000',
    'cache-control': 'no-store',
  }),
  delivery('cdn-cc-invalid-sh-type-unknown', 'fetched', {
    'cdn-cache-control': 'max-age=10000, &&&&&',
    'cache-control': 'no-store',
  }),
  delivery('cdn-cc-invalid-sh-type-wrong', 'fetched', {
    'cdn-cache-control': 'max-age="10000"',
    'cache-control': 'no-store',
  }),
  delivery('cdn-max-age-space-before-equals', 'fetched', {
    'cdn-cache-control': 'max-age =100',
    'cache-control': 'max-age=1',
  }),
  {
    id: 'a response that says nothing, with cacheByDefault',
    options: { cacheByDefault: 60 },
    steps: [
      { answer: { date: 0 }, from: 'fetched' },
      { after: 58, from: 'stored' },
      { after: 4, answer: { date: 0 }, from: 'unused' },
    ],
  },
  // For who is no part of the origin's delivery the field says nothing.
  again('cdn-max-age without targets', 'fetched', { 'cdn-cache-control': 'max-age=3600' }),
]
