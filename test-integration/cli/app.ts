// The app that the command line is tried with.
import { Celeriac } from '@celeriac/tasks'

export const app = new Celeriac('tried')

export const add = app.task('tried.add', (x: number, y: number): number => x + y)

export const fail = app.task('tried.fail', (): never => {
  throw new RangeError('out of cheese')
})

export const sleep = app.task('tried.sleep', async (seconds: number): Promise<string> => {
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000))
  return 'slept'
})

export const pid = app.task('tried.pid', (): number => process.pid)

export const write = app.task('tried.write', { bind: true }, function (): string {
  this.log.info('from inside')
  return 'written'
})

export const stray = app.task('tried.stray', (): string => {
  setTimeout(() => {
    throw new Error('nobody catches this')
  }, 1)
  return 'done'
})

app.addPeriodicTask(1, add, { name: 'often', args: [20, 22] })
