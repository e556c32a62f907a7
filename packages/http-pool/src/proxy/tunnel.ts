import { isIPv6, type Socket } from 'node:net'
import type { buildConnector } from 'undici'
import { HttpTimeoutError, ProxyError } from '../errors.ts'
import type { ChooseProxy, HttpProxy, Target } from './proxy-choice.ts'

/** Most bytes of a proxy's answer to CONNECT. */
const MOST_HEAD = 16 * 1024
const END = '\r\n\r\n'

/** The three connectors that a tunnel is made of. */
export interface TunnelParts {
  readonly choose: ChooseProxy
  /** To the target, where no proxy leads there; also its TLS handshake within a tunnel. */
  readonly direct: buildConnector.connector
  readonly toProxy: buildConnector.connector
}

/**
 * Connects through a proxy by CONNECT (RFC 9110 section 9.3.6), to http origins too: one request in a tunnel is like one without,
 * deadlines and caps included, and the proxy sees no headers.
 *
 * It returns the socket to the proxy, as the connectors of undici return theirs: destroying that ends the attempt to connect.
 */
export function tunnelConnector({
  choose,
  direct,
  toProxy,
}: TunnelParts): buildConnector.connector {
  return (options, callback) => {
    const proxy = choose(options as Target)
    if (proxy === undefined) return direct(options, callback)
    const { protocol, hostname, port } = proxy
    const origin = `${options.protocol}//${options.host}`
    let raw: Socket | undefined
    const fail = (error: Error): void => {
      // A deadline that destroyed it is the reason for all that follows.
      const reason = raw?.errored
      callback(reason instanceof HttpTimeoutError ? reason : error, null)
    }
    const onProxy: buildConnector.Callback = (...[error, socket]) => {
      if (error !== null) {
        fail(new ProxyError(proxy.origin, undefined, origin, error))
        return
      }
      requestTunnel(socket, proxy, options as Target, origin, failure => {
        if (failure !== undefined) fail(failure)
        else if (options.protocol !== 'https:') callback(null, socket)
        else direct({ ...options, httpSocket: socket }, upgraded(fail, callback))
      })
    }
    const host = isIPv6(hostname) ? `[${hostname}]:${port}` : `${hostname}:${port}`
    // buildConnector returns its socket, which its type does not say.
    raw = toProxy({ hostname, host, protocol, port }, onProxy) as unknown as Socket
    return raw as never
  }
}

function upgraded(
  fail: (error: Error) => void,
  callback: buildConnector.Callback,
): buildConnector.Callback {
  return (...[error, socket]) => {
    if (error === null) callback(null, socket)
    else fail(error)
  }
}

function requestTunnel(
  socket: Socket,
  proxy: HttpProxy,
  { hostname, port, protocol }: Target,
  origin: string,
  done: (failure?: Error) => void,
): void {
  const name = isIPv6(hostname) ? `[${hostname}]` : hostname
  const authority = `${name}:${port || (protocol === 'https:' ? '443' : '80')}`
  const credentials =
    proxy.authorization === undefined ? '' : `proxy-authorization: ${proxy.authorization}\r\n`
  let head = Buffer.alloc(0)
  const end = (failure?: Error): void => {
    socket.pause()
    socket.off('data', onData).off('error', onError).off('close', onClose)
    if (failure !== undefined) socket.on('error', ignoreError).destroy()
    done(failure)
  }
  const onError = (cause: Error): void =>
    end(new ProxyError(proxy.origin, undefined, origin, cause))
  const onClose = (): void => end(new ProxyError(proxy.origin, undefined, origin, undefined))
  const onData = (chunk: Buffer): void => {
    head = Buffer.concat([head, chunk])
    let length = head.indexOf(END)
    let status = statusOf(head)
    // What may come before the answer, asked for or not (RFC 9110 section 15.2).
    while (length !== -1 && status?.startsWith('1') && status !== '101') {
      head = head.subarray(length + END.length)
      length = head.indexOf(END)
      status = statusOf(head)
    }
    if (length === -1) {
      if (head.length > MOST_HEAD) onClose()
      return
    }
    if (status?.startsWith('2') !== true) {
      const code = status === undefined ? undefined : Number(status)
      end(new ProxyError(proxy.origin, code, origin, undefined))
      return
    }
    // The origin has not been asked yet, and neither HTTP nor TLS lets a server begin: it would pass for the first answer.
    if (head.length > length + END.length) onClose()
    else end()
  }
  socket.on('data', onData).on('error', onError).on('close', onClose)
  socket.write(`CONNECT ${authority} HTTP/1.1\r\nhost: ${authority}\r\n${credentials}\r\n`)
}

function statusOf(head: Buffer): string | undefined {
  return /^HTTP\/1\.[01] (\d{3})/.exec(head.toString('latin1', 0, 16))?.[1]
}

/** It is destroyed for the error that is told already. */
function ignoreError(): void {}
