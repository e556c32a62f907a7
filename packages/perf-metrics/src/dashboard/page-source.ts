import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const page = (file: string): string =>
  readFileSync(fileURLToPath(new URL(`./page/${file}`, import.meta.url)), 'utf8')

const uplot = (file: string): string =>
  readFileSync(fileURLToPath(import.meta.resolve(`uplot/dist/${file}`)), 'utf8')

/**
 * The files of the page by path. The build puts what this module exports in its place, so that nothing is looked for beside the code
 * that is published.
 */
export const PAGE_SOURCE: Readonly<Record<string, string>> = {
  '': page('index.html'),
  'format.js': page('format.js'),
  'mark-labels.js': page('mark-labels.js'),
  'charts.js': page('charts.js'),
  'app.js': page('app.js'),
  'style.css': page('style.css'),
  'uplot.js': uplot('uPlot.iife.min.js'),
  'uplot.css': uplot('uPlot.min.css'),
}
