export { MillraceContextManager } from './otel/context-manager.ts'
export { MillracePropagator } from './otel/propagator.ts'
export { MillraceTracerProvider } from './otel/tracer-provider.ts'
