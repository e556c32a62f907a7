export { type StoreContractOptions, storeContract } from '../store/contract/suite/store-contract.ts'
export type { StoreFixture, TestRunner } from '../store/contract/suite/store-suite.ts'
