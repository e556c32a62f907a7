import type { ClientName } from './clients.ts'
import { soak } from './soak.ts'

const [name, origin, seconds] = process.argv.slice(2) as [ClientName, string, string]
const result = await soak(name, origin, Number(seconds), sample => process.send!({ sample }))
process.send!({ result }, () => process.disconnect())
