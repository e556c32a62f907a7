export {
  optionsFromEnvironment,
  tracerFromEnvironment,
} from './environment/tracer-from-environment.ts'
