// At most one of a kind: refused while another runs, or only the last of a burst.
import { Celeriac, createWorker, DuplicateTaskError } from '@celeriac/tasks'

const app = new Celeriac('unique', { broker: 'memory://unique' })
const report = app.task('report', { unique: { key: ['customer'] } }, async (customer: string) => {
  await new Promise((resolve) => setTimeout(resolve, 100))
  return `report for ${customer}`
})
const reindex = app.task(
  'reindex',
  { unique: { key: ['shop'], mode: 'debounce', for: 0.2 } },
  (shop: string, reason: string) => `${shop}, because ${reason}`,
)

const worker = await createWorker(app, { pool: 'async' })
await worker.start()

const first = await report.delay('ann')
try {
  await report.delay('ann')
} catch (error) {
  if (error instanceof DuplicateTaskError)
    console.log('one is on its way:', error.holder === first.id)
}
console.log(await first.get({ timeout: 5 }))

await reindex.delay('flowers', 'a rose was added')
await reindex.delay('flowers', 'its price changed')
const last = await reindex.delay('flowers', 'it was sold')
console.log(await last.get({ timeout: 5 }))

await worker.stop()
await app.close()
