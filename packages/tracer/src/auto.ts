export { type RouteFinder, setHttpRoute } from './auto/http-route.ts'
export type { HttpServerOptions } from './auto/http-server.ts'
export { type Instrumentation, type InstrumentOptions, instrument } from './auto/instrument.ts'
