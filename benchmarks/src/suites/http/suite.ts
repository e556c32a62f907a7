import { defineCase, defineSuite } from '../../define.ts'
import {
  gotClient,
  kyClient,
  millraceOff,
  millraceOn,
  undiciFetch,
  undiciRequest,
  withoutPool,
} from './contenders/clients.ts'
import { requestsPerRun } from './contenders/load.ts'
import { checkAnswers, startJsonServer, startTlsServer } from './servers/json-server.ts'

const check = (bytes: number): void => checkAnswers(bytes, requestsPerRun)

export default defineSuite({
  name: 'http',
  description:
    'CPU time of the client process per request: 16 loops over 16 kept-alive connections to a node:http server on loopback, which runs in a process of its own and answers 53 bytes of JSON that the client reads as text. Each figure is the median of 5 rounds, each in a new process, ours and the peers in turn.',
  versions: ['undici', 'got', 'ky'],
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
      ours: millraceOn,
      peers: { 'node:https without pooling': withoutPool },
      check,
      fixture: () => startTlsServer(),
    }),
  ],
})
