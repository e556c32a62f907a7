export { type Instrumentation, type InstrumentOptions, instrument } from './auto/instrument.ts'
