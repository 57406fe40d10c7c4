// The embedded broker between real processes: wake-ups, and a ledger of what killed processes had.
import { Connection, message, queue, transports } from '@celeriac/messaging'
import { Inbox, transportSuite } from '@celeriac/messaging/testing'
import { afterAll, afterEach, describe, expect, it } from '@jest/globals'
import { fork, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { uniqueName } from '../services/brokers.ts'

const { capabilities } = await transports.sqlite.load()
const folder = mkdtempSync(join(tmpdir(), 'celeriac-broker-'))
const script = join(import.meta.dirname, '../fixtures/broker-child.mjs')
const children = new Set<ChildProcess>()
const open: Connection[] = []
let files = 0

function newUrl(): string {
  return `sqlite://${folder}/${++files}.db`
}

function connect(url: string): Connection {
  const connection = new Connection(url)
  open.push(connection)
  return connection
}

interface Report {
  readonly confirmed?: readonly string[]
  readonly done?: readonly { readonly id: string; readonly attempts: number }[]
  readonly ready?: boolean
  readonly held?: string
}

function start(role: string, url: string, name: string, onReport: (report: Report) => void) {
  // Not with the flags of the test runner.
  const child = fork(script, [role, url, name], { execArgv: [] })
  children.add(child)
  child.on('message', (report) => onReport(report as Report))
  child.on('exit', () => children.delete(child))
  return child
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await gone
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

async function until(isTrue: () => boolean, ms: number): Promise<void> {
  const end = performance.now() + ms
  while (!isTrue() && performance.now() < end) await pause(20)
}

afterEach(async () => {
  await Promise.all([...children].map(kill))
  await Promise.all(open.splice(0).map((connection) => connection.close()))
})

afterAll(() => rmSync(folder, { recursive: true }))

const shared = newUrl()
const probe = await new Connection(shared).connect()
const server = probe.server
await probe.close()
transportSuite(
  { describe, it },
  {
    name: `sqlite [${server}]`,
    capabilities,
    connect: () => new Connection(shared),
    unique: uniqueName,
  },
)

describe('the embedded broker between processes', () => {
  it('wakes a consumer in another process at once', async () => {
    const url = newUrl()
    const received: number[] = []
    let ready!: () => void
    const started = new Promise<void>((resolve) => (ready = resolve))
    start('consume', url, 'wake', ({ ready: isReady, done }) => {
      if (isReady) ready()
      if (done) received.push(performance.now())
    })
    await started
    const producer = connect(url).producer()
    const waits: number[] = []

    for (let i = 0; i < 20; i++) {
      await pause(30)
      const sent = performance.now()
      await producer.publish(i, { routingKey: 'wake' })
      await until(() => received.length > i, 3000)
      waits.push(received[i]! - sent)
    }

    // The slow poll would make it 500 ms on average.
    expect(waits.toSorted((a, b) => a - b)[10]).toBeLessThan(100)
  })

  it('gives back soon what a killed process held, with the attempt counted', async () => {
    const url = newUrl()
    const connection = connect(url)
    const channel = await connection.channel()
    await channel.declareQueue(queue('held'))
    await channel.publish([{ exchange: '', routingKey: 'held', message: message('precious') }])
    const child = await new Promise<ChildProcess>((resolve) => {
      const holder = start('hold', url, 'held', ({ held }) => held && resolve(holder))
    })
    const inbox = new Inbox()
    await channel.consume('held', { tag: 't' }, inbox.onDeliveries)

    await kill(child)
    await inbox.atLeast(1, 15_000)

    expect(inbox.deliveries[0]!.origin).toMatchObject({ attempts: 1, redelivered: true })
    await inbox.deliveries[0]!.ack()
  })

  it('lets many processes make one new file at the same time', async () => {
    const url = newUrl()
    let ready = 0
    for (let i = 0; i < 6; i++)
      start('consume', url, 'new', (report) => (ready += Number(report.ready ?? 0)))

    await until(() => ready === 6, 20_000)

    expect(ready).toBe(6)
  })

  it('loses nothing when any process is killed at any instant', async () => {
    const url = newUrl()
    const confirmed = new Set<string>()
    const done = new Map<string, number>()
    const onReport = (report: Report): void => {
      for (const id of report.confirmed ?? []) confirmed.add(id)
      for (const { id } of report.done ?? []) done.set(id, (done.get(id) ?? 0) + 1)
    }
    const slots = ['produce', 'produce', 'consume', 'consume', 'consume'].map((role) => ({
      role,
      child: start(role, url, 'ledger', onReport),
    }))
    await until(() => done.size > 0, 10_000)

    let kills = 0
    const end = performance.now() + 8000
    while (performance.now() < end) {
      await pause(20 + Math.random() * 150)
      const slot = slots[Math.floor(Math.random() * slots.length)]!
      await kill(slot.child)
      kills++
      slot.child = start(slot.role, url, 'ledger', onReport)
    }
    await Promise.all(
      slots.filter(({ role }) => role === 'produce').map(({ child }) => kill(child)),
    )
    await until(() => [...confirmed].every((id) => done.has(id)), 25_000)

    const lost = [...confirmed].filter((id) => !done.has(id))
    const repeated = [...done.values()].filter((times) => times > 1).length
    console.log(
      `${kills} kills, ${confirmed.size} confirmed, ${lost.length} lost, ${repeated} delivered again`,
    )
    expect(lost).toEqual([])
    expect(kills).toBeGreaterThan(20)
    expect(confirmed.size).toBeGreaterThan(500)
  })
})
