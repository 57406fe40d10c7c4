import { describe, expect, it } from '@jest/globals'
import {
  follow,
  groupNode,
  groupTree,
  idOf,
  readTree,
  taskIds,
  taskNode,
  taskTree,
  treeOf,
} from '../../src/canvas/result-tree.ts'
import { loadVector } from '../vectors.ts'

describe('a handle', () => {
  it.each([
    'canvas-chain-3',
    'canvas-chord-in-chain',
    'canvas-chain-in-group',
    'canvas-group-nested',
  ])('of %s is read as it is', (name) => {
    const tuple = loadVector(name)['result_tuple']

    expect(readTree(tuple)).toEqual(tuple)
  })

  it.each([
    [['a', null], taskTree('a')],
    [[['a', ['b', null]], null], taskTree('a', taskTree('b'))],
    [[['a', undefined], undefined], taskTree('a')],
    [[['g', null], []], groupTree('g', [])],
  ])('%j is read as it is meant', (value, expected) => {
    expect(readTree(value)).toEqual(expected)
  })

  it.each([
    null,
    'a',
    {},
    [],
    ['a'],
    [7, null],
    [['a', 7], null],
    [['a', null], 'x'],
    [['a', null], [7]],
    [['a', null], null, null],
  ])('%j is none', (value) => {
    expect(readTree(value)).toBeUndefined()
  })

  it('lists every task once, earlier ones first', () => {
    const header = groupTree('g', [taskTree('a'), taskTree('b')], taskTree('first'))

    expect(taskIds(taskTree('body', header))).toEqual(['first', 'a', 'b', 'body'])
    expect(
      taskIds(groupTree('g', [taskTree('a', taskTree('x')), taskTree('b', taskTree('x'))])),
    ).toEqual(['x', 'a', 'b'])
    expect(idOf(header)).toBe('g')
  })
})

describe('a handle in the making', () => {
  it('gets its parents in any order', () => {
    const [a, b, c] = ['a', 'b', 'c'].map(taskNode)
    follow(c!, b!)
    follow(c!, a!)

    expect(treeOf(c!)).toEqual(taskTree('c', taskTree('b', taskTree('a'))))
  })

  it('may be a group after a task', () => {
    const group = groupNode('g', [taskNode('m')])
    follow(group, taskNode('t'))

    expect(treeOf(group)).toEqual(groupTree('g', [taskTree('m')], taskTree('t')))
  })

  it('may be longer than the stack is deep', () => {
    let last = taskNode('0')
    for (let step = 1; step < 20_000; step += 1) {
      const next = taskNode(String(step))
      follow(next, last)
      last = next
    }

    expect(idOf(treeOf(last))).toBe('19999')
  })
})
