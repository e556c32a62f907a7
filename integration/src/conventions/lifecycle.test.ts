import { Readable } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { published } from './published.fixture.ts'

type Class = new (...args: never[]) => object

describe.each(published.flatMap(({ entries }) => entries.map(entry => [entry] as const)))(
  '%s',
  entry => {
    test('exports no class that can be closed and not disposed of, or the other way round', async () => {
      const module = (await import(/* @vite-ignore */ entry)) as Record<string, unknown>
      const halves = Object.entries(module)
        .filter((named): named is [string, Class] => typeof named[1] === 'function')
        .filter(([, exported]) => {
          const prototype: object | null | undefined = exported.prototype
          // Generator functions have prototypes, too, which are disposable as every iterator is.
          if (prototype?.constructor !== exported) return false
          // A stream ends as all streams of Node do.
          if (prototype instanceof Readable) return false
          const disposable = Symbol.dispose in prototype || Symbol.asyncDispose in prototype
          return disposable !== (typeof (prototype as { close?: unknown }).close === 'function')
        })
        .map(([name]) => name)
      expect(halves).toEqual([])
    })
  },
)
