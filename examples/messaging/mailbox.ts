// Commands to many nodes, and their replies: to all, to some by name, to those that match a pattern.
import { Connection, MessagingError } from '@celeriac/messaging'
import { own, url } from './broker.ts'

await using connection = new Connection(url)
const fleet = connection.mailbox(own('fleet'), { type: 'fanout' })

const rates = new Map<string, number>()
const nodes = ['web-1', 'web-2', 'db-1'].map((name) =>
  fleet.node(name, {
    handlers: {
      ping: () => 'pong',
      setRate: ({ rate }) => {
        rates.set(name, Number(rate))
        return 'ok'
      },
    },
  }),
)
await Promise.all(nodes.map((node) => node.start()))

try {
  await ask()
} catch (error) {
  if (!MessagingError.is(error)) throw error
  console.log(error.code, error.message)
}

await Promise.all(nodes.map((node) => node.stop()))
await fleet.close()
await connection.withChannel(async (channel) => {
  for (const { name } of nodes) await channel.removeQueue(fleet.queueOf(name).name)
})

async function ask(): Promise<void> {
  // With a limit nobody waits longer than for the last reply; the timeout is for those that are missing.
  show('ping all', await fleet.call('ping', {}, { limit: 3, timeout: 5 }))
  show('ping db-1', await fleet.call('ping', {}, { destination: ['db-1'], timeout: 5 }))
  show(
    'set the rate of web-*',
    await fleet.call('setRate', { rate: 7 }, { pattern: 'web-*', limit: 2, timeout: 5 }),
  )
  console.log('rates:', { 'web-1': rates.get('web-1'), 'web-2': rates.get('web-2') })
  show('reboot db-1', await fleet.call('reboot', {}, { destination: ['db-1'], timeout: 5 }))
}

function show(what: string, replies: readonly { node: string; value: unknown }[]): void {
  const sorted = replies.toSorted((a, b) => a.node.localeCompare(b.node))
  console.log(`${what}:`, sorted.map(({ node, value }) => [node, value]).flat())
}
