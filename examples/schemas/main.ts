// Arguments that are checked where a call is made and where it runs. Any library that speaks Standard Schema will do;
// this schema is written by hand, so that the example needs none.
import { Celeriac, createWorker, RemoteError, TasksError } from '@celeriac/tasks'

const email = {
  '~standard': {
    version: 1,
    vendor: 'example',
    validate: (value: unknown) => {
      const [text] = value as [unknown]
      return typeof text === 'string' && text.includes('@')
        ? { value: [text.toLowerCase()] as [string] }
        : { issues: [{ message: 'expected an e-mail address', path: [0] }] }
    },
    types: undefined as unknown as { input: [text: string]; output: [text: string] },
  },
} as const

const app = new Celeriac('schemas', { broker: 'memory://schemas' })
const welcome = app.task('welcome', { args: email }, (to) => `welcome, ${to}`)

const worker = await createWorker(app, { pool: 'async' })
await worker.start()

console.log(await (await welcome.delay('Ann@Example.org')).get({ timeout: 5 }))
try {
  await welcome.delay('ann')
} catch (error) {
  if (TasksError.is(error)) console.log(error.code, '-', error.message)
}
// A caller that checks nothing: one in Python, say.
try {
  await (await app.sendTask('welcome', ['bob'])).get({ timeout: 5 })
} catch (error) {
  if (error instanceof RemoteError) console.log(error.excType, '-', error.args[0])
}

await worker.stop()
await app.close()
