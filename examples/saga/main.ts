// Steps that are undone when a later one fails; and what a workflow would do, before it is sent.
import { Celeriac, createWorker, explain, RemoteError, saga, undoable } from '@celeriac/tasks'

const app = new Celeriac('saga', { broker: 'memory://saga' })
const charge = app.task(
  'charge',
  (order: number, euros: number) => `order ${order}: ${euros} euros charged`,
)
const refund = app.task('refund', (order: number) => console.log(`order ${order}: refunded`))
const reserve = app.task('reserve', (_before: string, order: number) => `order ${order}: reserved`)
const release = app.task('release', (order: number) => console.log(`order ${order}: released`))
const ship = app.task('ship', (_before: string, order: number): string => {
  if (order === 2) throw new Error('no truck')
  return `order ${order}: shipped`
})

const buy = (order: number) =>
  saga(
    undoable(charge.s(order, 30), refund.si(order)),
    undoable(reserve.s(order), release.si(order)),
    ship.s(order),
  )

console.log(String(await explain(buy(1))).replaceAll(/\d+ bytes/g, '… bytes'))

const worker = await createWorker(app, { pool: 'async' })
await worker.start()
console.log(await (await buy(1).delay()).get({ timeout: 5 }))
try {
  await (await buy(2).delay()).get({ timeout: 5 })
} catch (error) {
  if (error instanceof RemoteError) console.log(error.message)
}
// What undoes is sent before the failure is told; it ends soon after.
await new Promise((resolve) => setTimeout(resolve, 200))

await worker.stop()
await app.close()
