/** The tree of what tasks have sent. */
import { describe, expect, it } from '@jest/globals'
import { groupTree, taskTree } from '../../src/canvas/result-tree.ts'
import { IncompleteStream } from '../../src/index.ts'
import { setUp } from './store.ts'

/** `root` has sent `child` and a group of `a` and `b`; `a` has sent `leaf`. */
async function tree() {
  const made = setUp()
  const sent = groupTree('group', [taskTree('a'), taskTree('b')])
  await made.store(
    { taskId: 'root', result: 'r', children: [taskTree('child'), sent, taskTree('root')] },
    { taskId: 'child', result: 1 },
    { taskId: 'a', result: 2, children: [taskTree('leaf')] },
    { taskId: 'b', result: 3 },
    { taskId: 'leaf', result: 4 },
  )
  return made
}

describe('the results that come of one', () => {
  it('are its children and theirs, with groups and their members', async () => {
    const { result } = await tree()
    const root = result('root')
    const walked: unknown[] = []
    for await (const { parent, node } of root.iterdeps()) walked.push([parent?.id, node.id])

    expect(walked).toEqual([
      [undefined, 'root'],
      ['root', 'child'],
      ['root', 'group'],
      ['group', 'a'],
      ['group', 'b'],
      ['a', 'leaf'],
    ])
    expect((await root.children()).map(({ id }) => id)).toEqual(['child', 'group', 'root'])
  })

  it('are collected with their values', async () => {
    const { result } = await tree()
    const values: unknown[] = []
    for await (const [{ id }, value] of result('root').collect({ timeout: 5 }))
      values.push([id, value])

    expect(values).toEqual([
      ['root', 'r'],
      ['child', 1],
      ['group', [2, 3]],
      ['a', 2],
      ['b', 3],
      ['leaf', 4],
    ])
    expect(await result('root').getLeaf()).toBe(4)
  })

  it('are waited for where they are collected', async () => {
    const { result, store } = setUp()
    await store({ taskId: 'root', children: [taskTree('late')] })
    setTimeout(() => void store({ taskId: 'late', result: 'there' }), 20)

    expect(await result('root').getLeaf({ timeout: 5 })).toBe('there')
    await expect(result('root').getLeaf({ timeout: 5 })).resolves.toBe('there')
  })

  it('are not all known while a task runs', async () => {
    const { result, store } = setUp()
    await store({ taskId: 'root', children: [taskTree('runs'), taskTree('done')] })
    await store({ taskId: 'done', children: [taskTree('x')] }, { taskId: 'x' })
    const walk = async (intermediate?: boolean) => {
      const ids: string[] = []
      for await (const { node } of result('root').iterdeps({ intermediate })) ids.push(node.id)
      return ids
    }

    await expect(walk()).rejects.toThrow(IncompleteStream)
    await expect(walk()).rejects.toMatchObject({ code: 'TASKS_INCOMPLETE' })
    expect(await walk(true)).toEqual(['root', 'runs', 'done', 'x'])
  })

  it('are a graph', async () => {
    const { result } = await tree()
    const graph = await result('root').graph()

    expect(graph.nodes).toEqual(['root', 'child', 'group', 'a', 'b', 'leaf'])
    expect(graph.edges).toEqual([
      ['root', 'child'],
      ['root', 'group'],
      ['group', 'a'],
      ['group', 'b'],
      ['a', 'leaf'],
    ])
    expect(graph.childrenOf('group')).toEqual(['a', 'b'])
    expect(JSON.parse(JSON.stringify(graph))).toMatchObject({ root: 'root', nodes: graph.nodes })
    expect(graph.toDot()).toBe(
      [
        'digraph results {',
        '  node [shape=oval]',
        '  "root" [style=bold]',
        '  "child"',
        '  "group"',
        '  "a"',
        '  "b"',
        '  "leaf"',
        '  "root" -> "child"',
        '  "root" -> "group"',
        '  "group" -> "a"',
        '  "group" -> "b"',
        '  "a" -> "leaf"',
        '}',
        '',
      ].join('\n'),
    )
  })

  it('are read in batches, group by group', async () => {
    const { result, store, backend } = setUp()
    const ids = Array.from({ length: 500 }, (_, i) => `m${i}`)
    await store({
      taskId: 'root',
      children: [
        groupTree(
          'g',
          ids.map((id) => taskTree(id)),
        ),
      ],
    })
    await store(...ids.map((taskId) => ({ taskId })))
    const { nodes } = await result('root').graph()

    expect(nodes).toHaveLength(502)
    expect(backend.reads).toEqual([1, 500])
  })
})
