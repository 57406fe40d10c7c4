// A queue with the manners of a local one: put, get, size, clear.
import { Connection, MessagingError } from '@celeriac/messaging'
import { own, url } from './broker.ts'

await using connection = new Connection(url)
await using todo = connection.simpleQueue(own('todo'))

await todo.put({ text: 'sow' })
await todo.put({ text: 'water' }, { headers: { urgent: true } })
await todo.put({ text: 'harvest' })
console.log('waiting:', await todo.size())

const first = await todo.getNow()
console.log('now:', first.value)
await first.ack()

const second = await todo.get({ timeout: 5 })
console.log('next:', second.value, second.message.headers)
await second.ack()

const third = await todo.get({ timeout: 5 })
await third.ack()
try {
  await todo.get({ timeout: 0.1 })
} catch (error) {
  if (MessagingError.is(error)) console.log(error.code)
}

await connection.withChannel(async (channel) => {
  await channel.removeQueue(todo.name)
  await channel.removeExchange(todo.name)
})
