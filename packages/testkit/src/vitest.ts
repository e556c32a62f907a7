export type { ReadmeOptions } from './readme/test-readme.ts'
export { testReadme } from './readme/test-readme.ts'
