import type { Dispatcher } from 'undici'

/** What is told of a request. One that hands nothing out before the last byte can start over with another attempt. */
export type Handler = Dispatcher.DispatchHandler & { readonly buffersResponse?: boolean }

/** By which a handler holds its request up or ends it. */
export type Controller = Dispatcher.DispatchController

/** Headers or trailers as they came, for one that has them or none: with `undefined` a class would not implement {@link Controller}. */
export type RawHeaders = Exclude<Controller['rawHeaders'], undefined>

/** Of a response, by names in lower case; a repeated header is an array. */
export type ResponseHeaders = Parameters<
  NonNullable<Dispatcher.DispatchHandler['onResponseStart']>
>[2]
