import { defineCase, defineSuite } from '../../define.ts'
import {
  gotClient,
  kyClient,
  millraceH2,
  millraceOff,
  millraceOn,
  millraceOnStream,
  undiciFetch,
  undiciH2,
  undiciRequest,
  undiciRequestStream,
  withoutPool,
} from './contenders/clients.ts'
import { checkStorm, millraceStorm, type Storm, undiciStorm } from './contenders/http2-storm.ts'
import { millraceRaces, type Races, raceCalls, undiciRaces } from './contenders/keep-alive-races.ts'
import { requestsPerRun } from './contenders/load.ts'
import { millraceSockets, type Outcome, undiciSockets } from './contenders/peak-sockets.ts'
import { startImpatientServer } from './servers/impatient-server.ts'
import {
  checkAnswers,
  startH2Server,
  startJsonServer,
  startTlsServer,
} from './servers/json-server.ts'
import { startManyOrigins } from './servers/many-origins.ts'

const check = (bytes: number): void => checkAnswers(bytes, requestsPerRun)

export default defineSuite({
  name: 'http',
  description:
    'CPU time of the client process per request: 16 loops over 16 kept-alive connections to a node:http server on loopback, which runs in a process of its own and answers 53 bytes of JSON that the client reads as text. Each figure is the median of the rounds (5, or up to 3 with `--quick`), each in a new process, ours and the peers in turn.',
  versions: ['undici', 'got', 'ky'],
  headline: /^(features off|all features on)$/,
  cases: [
    defineCase<number>({
      name: 'features off',
      description: '`request` and `body.text()` of a pool without retries, deadlines and redirects',
      unit: 'us CPU/op',
      goal: 1 / 1.03,
      ours: millraceOff,
      peers: { 'undici request': undiciRequest },
      check,
      fixture: () => startJsonServer(),
    }),
    defineCase<number>({
      name: 'all features on',
      description: 'the same with every feature that a request passes through',
      unit: 'us CPU/op',
      goal: { 'undici request': 1 / 1.1, 'undici fetch': 3, got: 3, ky: 3 },
      ours: millraceOn,
      peers: {
        'undici request': undiciRequest,
        'undici fetch': undiciFetch,
        got: gotClient,
        ky: kyClient,
      },
      check,
      fixture: () => startJsonServer(),
    }),
    defineCase<number>({
      name: 'all on, read as a stream',
      description:
        'all features on, and both clients read the body chunk by chunk: our `text()` does without a stream, here there is one',
      unit: 'us CPU/op',
      goal: 1 / 1.1,
      ours: millraceOnStream,
      peers: { 'undici request': undiciRequestStream },
      check,
      fixture: () => startJsonServer(),
    }),
    defineCase<number>({
      name: 'connection reuse',
      description: 'all features on, against a new connection for each request',
      unit: 'us CPU/op',
      goal: 2,
      ours: millraceOn,
      peers: { 'node:http without pooling': withoutPool },
      check,
      fixture: () => startJsonServer(),
    }),
    defineCase<number>({
      name: 'connection reuse over TLS',
      description: 'the same over TLS',
      unit: 'us CPU/op',
      goal: 2,
      // Handshakes take most of the time of a short run, and the ratio is far from its goal.
      quickRounds: 1,
      ours: millraceOn,
      peers: { 'node:https without pooling': withoutPool },
      check,
      fixture: () => startTlsServer(),
    }),
    defineCase<number>({
      name: 'HTTP/2, 100 streams',
      description:
        '100 loops over one HTTP/2 connection, all features of a default pool on. Both clients are alive, each in its own process, and have 2,000 requests each by turns; the ratio is the median of those of neighbouring turns',
      unit: 'us CPU/op',
      goal: 1,
      inTurn: true,
      ours: millraceH2,
      peers: { 'undici request': undiciH2 },
      check,
      fixture: () => startH2Server(),
    }),
    defineCase<Storm>({
      name: 'storm',
      description:
        'calls of 200 callers over HTTP/2 that end as they should, while the server resets, stalls and goes away at random and callers abort: not with the reason of another caller, not more than 1 ms early, not after the event loop has come by its timers twice after the deadline, and in a process that lives. Of ours one that does not fails the case',
      unit: '%',
      better: 'more',
      goal: 1,
      quickRounds: 1,
      timeout: 240_000,
      ours: millraceStorm,
      peers: { 'undici request': undiciStorm },
      check: checkStorm,
    }),
    defineCase<Outcome>({
      name: 'sockets under a cap',
      description:
        'most sockets at one time for 1,000 calls at once over 6 origins; our pool has a total of 20, undici knows only 20 for each origin',
      unit: 'sockets',
      limit: 20,
      ours: millraceSockets,
      peers: { 'undici request': undiciSockets },
      check: ({ failures }, contender) => {
        if (failures > 0) throw new Error(`${failures} calls of ${contender} failed`)
      },
      fixture: () => startManyOrigins(),
    }),
    defineCase<Races>({
      name: 'keep-alive races',
      description:
        'GET calls that succeed, of 50,000, without retries, while the server closes every connection after 0 to 4 ms of idleness',
      unit: 'calls',
      better: 'more',
      goal: 1,
      // All of the calls, however short the run.
      quickRounds: 1,
      ours: millraceRaces,
      peers: { 'undici request': undiciRaces },
      check: ({ succeeded }, contender) => {
        if (contender === 'ours' && succeeded !== raceCalls) {
          throw new Error(`${raceCalls - succeeded} calls failed`)
        }
      },
      fixture: () => startImpatientServer(),
    }),
  ],
})
