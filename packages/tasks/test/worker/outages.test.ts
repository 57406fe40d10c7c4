import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, describe, expect, it } from '@jest/globals'
import { MessagingError } from '@celeriac/messaging'
import { chain } from '@celeriac/tasks'
import { setup, type Bench } from './setup.ts'

let bench: Bench | undefined
afterEach(async () => {
  await bench?.end()
  bench = undefined
})

describe('a task whose time is over in a pool that cannot stop it', () => {
  it('leaves no trace when it ends after all', async () => {
    const ran: string[] = []
    bench = await setup((app) => {
      app.task('slow', { timeLimit: 0.05 }, async () => {
        await pause(200)
        ran.push('slow')
        return 1
      })
      app.task('next', () => void ran.push('next'))
    })
    await bench.worker.start()
    const { app } = bench

    const result = await chain(
      app.remote<() => number>('slow').si(),
      app.remote<() => void>('next').si(),
    ).delay()
    await pause(500)

    expect(ran).toEqual(['slow'])
    expect(await result.parent!.ready()).toBe(true)
    expect(await result.parent!.successful()).toBe(false)
  })
})

describe('a message that can be neither run nor put aside', () => {
  it('comes again instead of keeping its place in the window', async () => {
    bench = await setup((app) => app.task('known', () => 'ran'), {}, 1)
    const { app, worker } = bench
    const { producer } = await app.setup()
    const publishMessage = producer.publishMessage.bind(producer)
    let refusals = 0
    producer.publishMessage = async (publication, ...rest) => {
      if (publication.routingKey === 'celeriac.parked' && refusals++ === 0)
        throw new MessagingError('MESSAGING_PUBLISH_REFUSED', 'message', 'the broker is full')
      await publishMessage(publication, ...rest)
    }
    await worker.start()

    await app.remote<() => void>('unknown').delay()
    const result = await app.remote<() => string>('known').delay()

    await expect(result.get({ timeout: 5 })).resolves.toBe('ran')
    expect(await bench.parked()).toHaveLength(1)
  })
})
