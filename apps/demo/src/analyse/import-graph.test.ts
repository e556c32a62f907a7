import { expect, test } from 'vitest'
import type { FileFacts } from './facts.ts'
import { buildImportGraph, packageOf } from './import-graph.ts'

const facts = (imports: string[], changes: Partial<FileFacts> = {}): FileFacts => ({
  bytes: 10,
  lines: 1,
  kind: 'esm',
  imports,
  exports: ['a'],
  syntaxError: undefined,
  ...changes,
})

test.each([
  ['react', { name: 'react' }],
  ['react/jsx-runtime', { name: 'react' }],
  ['@scope/name/deep/file.js', { name: '@scope/name' }],
  ['lodash.merge', { name: 'lodash.merge' }],
  ['fs', 'builtin'],
  ['node:test', 'builtin'],
  ['./a', 'relative'],
  ['..', 'relative'],
  ['#internal', 'relative'],
  ['https://deno.land/x', 'relative'],
  ['data:text/javascript,1', 'relative'],
  ['@scope', 'relative'],
  ['<template>', 'relative'],
  ['', 'relative'],
])('%j leads to %j', (specifier, target) => expect(packageOf(specifier)).toEqual(target))

test('files belong to the nearest named package above them', () => {
  const graph = buildImportGraph(
    new Map([
      ['/t/a/src/deep/x.js', facts(['b', './y.js', 'a/self', 'node:fs'])],
      ['/t/a/node_modules/b/index.js', facts(['c/sub', 'b'], { bytes: 5 })],
      ['/t/loose.js', facts(['a'])],
    ]),
    new Map([
      ['/t/a', { name: 'a', version: '1.0.0' }],
      ['/t/a/node_modules/b', { name: 'b', version: '2.0.0' }],
      ['/t/z', { name: 'b', version: '3.0.0' }],
    ]),
  )
  const shown = [...graph.packages.values()].map(node => [
    node.name,
    [...node.versions].join(),
    node.files,
    node.bytes,
    [...node.imports].join(),
  ])
  expect(shown.toSorted()).toEqual([
    ['(no package)', '', 1, 10, 'a'],
    ['a', '1.0.0', 1, 10, 'b'],
    ['b', '2.0.0,3.0.0', 1, 5, 'c'],
    ['c', '', 0, 0, ''],
  ])
  expect([graph.internalImports, graph.builtinImports]).toEqual([3, 1])
})

test('names that are members of every object are packages like others', () => {
  const graph = buildImportGraph(
    new Map([['/x.js', facts(['constructor', 'toString'])]]),
    new Map([['/', { name: '__proto__', version: '1.0.0' }]]),
  )
  expect([...graph.packages.keys()]).toEqual(['__proto__', 'constructor', 'toString'])
})
