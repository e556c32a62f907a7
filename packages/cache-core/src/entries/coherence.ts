export type { CascadeReport, CoherenceFailure } from '../coherence/cascade.ts'
export type {
  CoherenceVerb,
  Inconsistency,
  RepairReport,
  ValidationReport,
} from '../coherence/coherence-group.ts'
export { CoherenceGroup } from '../coherence/coherence-group.ts'
export type {
  CoherentCache,
  Dependent,
  Derivation,
  MemberOptions,
} from '../coherence/coherence-member.ts'
export { contentKey } from '../coherence/content-key.ts'
