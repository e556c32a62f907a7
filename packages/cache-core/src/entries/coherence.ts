export type { CascadeReport, CoherenceFailure } from '../coherence/cascade.ts'
export {
  CoherenceGroup,
  type CoherenceGroupOptions,
  type CoherenceVerb,
  type RepairReport,
  type ValidationReport,
} from '../coherence/coherence-group.ts'
export type {
  CoherentCache,
  Dependent,
  Derivation,
  MemberOptions,
} from '../coherence/coherence-member.ts'
export type { Inconsistency } from '../coherence/consistency.ts'
export { contentKey } from '../coherence/content-key.ts'
export { MemberTimeoutError } from '../coherence/member-timeout-error.ts'
