import { soak } from './soak.ts'

const result = await soak(Number(process.argv[2]), sample => process.send!({ sample }))
process.send!({ result }, () => process.disconnect())
