export { type IgnoredPaths, type RequestHead, type RouteFinder, setHttpRoute } from '@millrace/kit'
export type { HttpServerOptions } from './auto/http-server.ts'
export { type Instrumentation, type InstrumentOptions, instrument } from './auto/instrument.ts'
