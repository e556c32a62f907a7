import { readdirSync, readFileSync } from 'node:fs'
import { constants, monitorEventLoopDelay, PerformanceObserver, performance } from 'node:perf_hooks'
import { getHeapSpaceStatistics } from 'node:v8'
import { checkInteger, checkMethods, checkOptions, type OptionNames } from '@millrace/kit'
import { type Registration, registration } from '../registry/registration.ts'
import type { Registry } from '../registry/registry.ts'
import { SharedRegistrations } from '../registry/shared-registrations.ts'
import { delayReading } from './event-loop-delay.ts'

export interface RuntimeOptions {
  /** ms between two samples of the event loop's delay, 5 or more: each is a timer that fires. Default: 20 */
  readonly eventLoopResolution?: number | undefined
}

const OPTIONS: OptionNames<RuntimeOptions> = { eventLoopResolution: true }

const GC_KINDS: Readonly<Record<number, string>> = {
  [constants.NODE_PERFORMANCE_GC_MAJOR]: 'major',
  [constants.NODE_PERFORMANCE_GC_MINOR]: 'minor',
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: 'incremental',
  [constants.NODE_PERFORMANCE_GC_WEAKCB]: 'weakcb',
}

/** Beginnings of the names of what {@link processReading} and {@link linuxReading} bring up to date. */
const PROCESS = [
  'process_cpu_',
  'process_resident_memory_bytes',
  'nodejs_heap_size_total_bytes',
  'nodejs_heap_size_used_bytes',
  'nodejs_external_memory_bytes',
  'nodejs_array_buffers_bytes',
  'nodejs_active_resources',
]
const LINUX = ['process_open_fds', 'process_virtual_memory_bytes']

/**
 * Metrics of the process and of Node under the names that dashboards for prom-client know (`process_*`, `nodejs_*`):
 * CPU, memory, file descriptors, event-loop delay and utilisation, garbage collection, heap spaces, active resources. The event loop's
 * delay is sampled from the first export on. Called again for the same registry it counts nothing twice, and goes on until all that it
 * returned are closed; `eventLoopResolution` is that of the first call.
 */
export function collectRuntime(metrics: Registry, options: RuntimeOptions = {}): Registration {
  checkMethods('registry', metrics, 'a Registry', ['addCollector'])
  checkOptions('', options, OPTIONS)
  const { eventLoopResolution = 20 } = options
  checkInteger('eventLoopResolution', eventLoopResolution, 5)
  if (!metrics.enabled) return metrics.addCollector(() => {})
  return COLLECTED.hold(metrics, () => collect(metrics, eventLoopResolution))
}

/** The registries that have them: of a second observer, each collection would count twice. */
const COLLECTED = new SharedRegistrations<Registry>()

function collect(metrics: Registry, eventLoopResolution: number): Registration {
  collectVersion(metrics)
  const stopGc = observeGc(metrics)
  const delay = monitorEventLoopDelay({ resolution: eventLoopResolution })
  const readDelay = delayReading(metrics, delay, eventLoopResolution)
  const collecting = [
    metrics.addCollector(processReading(metrics), PROCESS),
    metrics.addCollector(eventLoopUtilization(metrics), ['nodejs_eventloop_utilization_ratio']),
    metrics.addCollector(heapReading(metrics), ['nodejs_heap_space_size_']),
    metrics.addCollector(() => {
      // A timer that fires fifty times a second is most of what an idle process takes: not before what it measures is read.
      delay.enable()
      readDelay()
    }, ['nodejs_eventloop_lag']),
    ...(process.platform === 'linux' ? [metrics.addCollector(linuxReading(metrics), LINUX)] : []),
  ]
  return registration(() => {
    for (const each of collecting) each.close()
    stopGc()
    delay.disable()
  })
}

function collectVersion(metrics: Registry): void {
  const [major = '', minor = '', patch = ''] = process.versions.node.split('.')
  const labels = { version: process.version, major, minor, patch }
  metrics
    .gauge('nodejs_version_info', { help: 'Node.js version', labels: Object.keys(labels) })
    .set(labels, 1)
  metrics
    .gauge('process_start_time_seconds', { help: 'Start of the process since the epoch' })
    .set(performance.timeOrigin / 1000)
}

function processReading(metrics: Registry): () => void {
  const user = metrics.counter('process_cpu_user_seconds_total', { help: 'User CPU time spent' })
  const system = metrics.counter('process_cpu_system_seconds_total', {
    help: 'System CPU time spent',
  })
  const total = metrics.counter('process_cpu_seconds_total', { help: 'CPU time spent' })
  const resident = metrics.gauge('process_resident_memory_bytes', { help: 'Resident memory' })
  const heapTotal = metrics.gauge('nodejs_heap_size_total_bytes', { help: 'Heap reserved by V8' })
  const heapUsed = metrics.gauge('nodejs_heap_size_used_bytes', { help: 'Heap in use' })
  const external = metrics.gauge('nodejs_external_memory_bytes', {
    help: 'Memory of objects outside the heap',
  })
  const buffers = metrics.gauge('nodejs_array_buffers_bytes', { help: 'Memory of array buffers' })
  const resources = metrics.gauge('nodejs_active_resources', {
    help: 'Resources that keep the event loop alive',
    labels: ['type'],
  })
  const seen = new Set<string>()
  return () => {
    const cpu = process.cpuUsage()
    user.observeTotal(cpu.user / 1e6)
    system.observeTotal(cpu.system / 1e6)
    total.observeTotal((cpu.user + cpu.system) / 1e6)
    const memory = process.memoryUsage()
    resident.set(memory.rss)
    heapTotal.set(memory.heapTotal)
    heapUsed.set(memory.heapUsed)
    external.set(memory.external)
    buffers.set(memory.arrayBuffers)
    const active = new Map<string, number>([...seen].map(type => [type, 0]))
    for (const type of process.getActiveResourcesInfo()) {
      active.set(type, (active.get(type) ?? 0) + 1)
      seen.add(type)
    }
    for (const [type, count] of active) resources.set({ type }, count)
  }
}

function linuxReading(metrics: Registry): () => void {
  const open = metrics.gauge('process_open_fds', { help: 'Open file descriptors' })
  const virtual = metrics.gauge('process_virtual_memory_bytes', { help: 'Virtual memory' })
  const limit = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1]
  if (limit !== undefined) {
    metrics
      .gauge('process_max_fds', { help: 'Most file descriptors the process may open' })
      .set(Number(limit))
  }
  return () => {
    // One descriptor is the listing's own.
    open.set(readdirSync('/proc/self/fd').length - 1)
    const size = /^VmSize:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]
    if (size !== undefined) virtual.set(Number(size) * 1024)
  }
}

function eventLoopUtilization(metrics: Registry): () => void {
  const utilization = metrics.gauge('nodejs_eventloop_utilization_ratio', {
    help: 'Share of time the event loop was busy since the last look',
  })
  let last = performance.eventLoopUtilization()
  return () => {
    const now = performance.eventLoopUtilization()
    utilization.set(performance.eventLoopUtilization(now, last).utilization)
    last = now
  }
}

function observeGc(metrics: Registry): () => void {
  const pauses = metrics.histogram('nodejs_gc_duration_seconds', {
    help: 'Pauses for garbage collection',
    labels: ['kind'],
    buckets: [0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1],
  })
  const floor = metrics.gauge('nodejs_heap_size_after_gc_bytes', {
    help: 'Heap in use after the last major garbage collection: what is still referred to',
  })
  const observer = new PerformanceObserver(list => {
    for (const entry of list.getEntries()) {
      const { kind } = (entry as unknown as { detail: { kind: number } }).detail
      if (kind === constants.NODE_PERFORMANCE_GC_MAJOR) floor.set(process.memoryUsage().heapUsed)
      pauses.observe({ kind: GC_KINDS[kind] ?? 'other' }, entry.duration / 1000)
    }
  })
  observer.observe({ entryTypes: ['gc'] })
  return () => observer.disconnect()
}

function heapReading(metrics: Registry): () => void {
  const gauge = (what: string) =>
    metrics.gauge(`nodejs_heap_space_size_${what}_bytes`, {
      help: `Heap space ${what}`,
      labels: ['space'],
    })
  const total = gauge('total')
  const used = gauge('used')
  const available = gauge('available')
  return () => {
    for (const statistics of getHeapSpaceStatistics()) {
      const space = statistics.space_name.replace(/_space$/, '')
      total.set({ space }, statistics.space_size)
      used.set({ space }, statistics.space_used_size)
      available.set({ space }, statistics.space_available_size)
    }
  }
}
