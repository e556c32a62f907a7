/**
 * The programs of the threads: modules in the sources; the build puts their code in place of this file, so that it is there wherever
 * the package is bundled to.
 */
export const PARSE_PROGRAM: string | URL = new URL('./parse/parse-worker.ts', import.meta.url)
export const WATCH_PROGRAM: string | URL = new URL('./watch/watch-worker.ts', import.meta.url)
