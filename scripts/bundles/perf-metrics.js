import { createServer } from 'node:http'
import { Registry } from '@millrace/perf-metrics'
import { Dashboard } from '@millrace/perf-metrics/dashboard'

const dashboard = new Dashboard({ registry: new Registry() })
const server = createServer(dashboard.handler())
await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
const page = await fetch(`http://127.0.0.1:${server.address().port}/`)
const html = await page.text()
dashboard.close()
server.close()
if (page.status !== 200 || !/<script/.test(html)) throw new Error(`no page: ${page.status}`)
