/**
 * Saved groups ⇄ what Celery keeps of them: a pickle of its own objects. Python gets one that makes the group
 * again; of Python's the ids are read, and nothing in them is run.
 */
import type { PickleGlobal } from '@celeriac/messaging'
import { plainGlobals, readPickle, writePickledCall } from '@celeriac/messaging/internal'
import { groupTree, readTree, taskTree, type ResultTree } from '../../canvas/result-tree.ts'
import { TasksError } from '../../kernel/errors.ts'
import { badRecord } from './rows.ts'

export function writeGroup(tree: ResultTree): Uint8Array {
  return writePickledCall('celery.result', 'result_from_tuple', [tree])
}

/** Throws `TASKS_RESULT_INVALID` for what is no group. */
export function readGroup(bytes: Uint8Array): ResultTree {
  let value: unknown
  try {
    value = readPickle(bytes, new GroupGlobals(plainGlobals))
  } catch (error) {
    throw badRecord(error)
  }
  const tree = readTree(value)
  if (!tree) throw new TasksError('TASKS_RESULT_INVALID', 'a saved group is none')
  return tree
}

/** `AsyncResult(id, backend, name of the task, app, parent)` */
const task = ([id, , , , parent]: readonly unknown[]): ResultTree =>
  taskTree(textOf(id), treeOf(parent))

/** `GroupResult(id, results, parent)`; Python leaves out the parent. */
const group = ([id, results, parent]: readonly unknown[]): ResultTree => {
  if (!Array.isArray(results)) throw new TypeError('a group has no list of results')
  return groupTree(
    textOf(id),
    results.map((one) => treeOf(one) ?? fail()),
    treeOf(parent),
  )
}

const known: Readonly<Record<string, (args: readonly unknown[]) => unknown>> = {
  'celery.result.AsyncResult': task,
  'celery.result.GroupResult': group,
  'celery.result.result_from_tuple': ([tree]) => treeOf(tree),
  // What belongs to an app: the name of the class, and its arguments.
  'celery.app.base._unpickle_appattr': ([name, args]) => {
    if (name === 'AsyncResult') return task(args as unknown[])
    return name === 'GroupResult' ? group(args as unknown[]) : fail()
  },
}

/** What else is in there (the backend, its options) says nothing about the group. */
const nothing: PickleGlobal = Object.assign(() => null, { takesClasses: true })

class GroupGlobals extends Map<string, PickleGlobal> {
  override get(name: string): PickleGlobal {
    return super.get(name) ?? known[name] ?? nothing
  }
}

function treeOf(value: unknown): ResultTree | null {
  if (value === null || value === undefined) return null
  return readTree(value) ?? fail()
}

function textOf(id: unknown): string {
  return typeof id === 'string' ? id : fail()
}

function fail(): never {
  throw new TypeError('it is no result of Celery')
}
