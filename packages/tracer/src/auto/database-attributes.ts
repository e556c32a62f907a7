/** `db.operation.batch.size` of so many operations: the conventions want it of two or more only. */
export function batchSize(operations: unknown): number | undefined {
  return typeof operations === 'number' && operations > 1 ? operations : undefined
}
