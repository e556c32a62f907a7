import { testReadme } from './vitest.ts'

testReadme(new URL('../README.md', import.meta.url))
