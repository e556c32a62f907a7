export { type GrafanaOptions, grafanaDashboard } from './grafana/dashboard-json.ts'
