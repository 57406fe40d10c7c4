// `npm run test:chaos`: the outage tests in their long form, on throw-away servers of their own. Prints one
// line for each broker: what was confirmed, lost and run twice, and how long everything took to come back.
// Words after -- go to jest: `npm run test:chaos -- -t RabbitMQ`.
import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { ensure, stop, sweep } from './services/index.mjs'
import { rootDir } from './services/state.mjs'

const built = spawnSync('npm', ['run', '--silent', 'build'], { cwd: rootDir, stdio: 'inherit' })
if (built.status !== 0) process.exit(built.status ?? 1)

// The tests break servers of their own, but run only where such servers can be had.
const started = []
for (const name of ['redis', 'rabbitmq', 'mongodb', 'postgres']) {
  const found = await ensure(name, { log: console.log })
  if (found.missing) console.log(`${name}: missing: ${found.missing}`)
  if (found.fresh) started.push(name)
}

const flags = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning']
const jest = path.join(rootDir, 'node_modules', 'jest', 'bin', 'jest.js')
const words = [
  '--runInBand',
  '--verbose',
  'outages',
  'mongodb-faults',
  'amqp-cuts',
  'amqp-delays',
  ...process.argv.slice(2),
]
const ran = spawnSync(process.execPath, [...flags, jest, ...words], {
  cwd: path.join(rootDir, 'test-integration'),
  env: { ...process.env, CELERIAC_CHAOS: 'long' },
  stdio: 'inherit',
})
for (const name of started.toReversed()) await stop(name)
sweep()
process.exit(ran.status ?? 1)
