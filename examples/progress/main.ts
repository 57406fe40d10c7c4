// A task that says how far it is, and somebody who watches.
import { Celeriac, createWorker } from '@celeriac/tasks'

const app = new Celeriac('progress', { broker: 'memory://progress' })
const bake = app.task('bake', async function (cakes: number) {
  for (let done = 1; done <= cakes; done++) {
    await this.updateState('PROGRESS', { done, of: cakes })
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return 'ready to eat'
})

const worker = await createWorker(app, { pool: 'async' })
const result = await bake.delay(3)
setTimeout(() => void worker.start(), 50)

for await (const { state, meta } of result.progress({ timeout: 5 })) console.log(state, meta)

await worker.stop()
await app.close()
