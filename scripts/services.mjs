// Servers for tests: `services.mjs up|down|status|env [redis rabbitmq postgres mariadb mongodb memcached python]`.
// Takes what the environment names or what already listens, else starts its own; `down` stops only what `up`
// started.
import {
  ensure,
  find,
  masked,
  serviceNames,
  stateDir,
  stop,
  sweep,
  variables,
} from './services/index.mjs'

const usage = `usage: node scripts/services.mjs up|down|status|env [--private] [${serviceNames.join(' ')}]

  up       finds or starts the services; fails when one cannot be had
  down     stops the servers that \`up\` started, and nothing else
  status   says what is there, starting nothing
  env      prints shell lines, for: eval "$(node scripts/services.mjs env)"

  --private                   no shared servers, no containers (also CELERIAC_SERVICES=private)
  TEST_REDIS_URL, TEST_AMQP_URL, TEST_POSTGRES_URL, TEST_MYSQL_URL, TEST_MONGODB_URL, TEST_PYTHON
                              use these
  CELERIAC_SERVICES_DIR       where private servers keep their data`

const [command, ...rest] = process.argv.slice(2)
const names = rest.filter((word) => !word.startsWith('--'))
const unknown = [
  ...names.filter((name) => !serviceNames.includes(name)),
  ...rest.filter((word) => word.startsWith('--') && word !== '--private'),
]
if (rest.includes('--private')) process.env.CELERIAC_SERVICES = 'private'
const chosen = names.length > 0 ? serviceNames.filter((name) => names.includes(name)) : serviceNames

const commands = { up, down, status, env }
if (unknown.length > 0 || !Object.hasOwn(commands, command ?? '')) {
  console.error(unknown.length > 0 ? `unknown: ${unknown.join(' ')}\n\n${usage}` : usage)
  process.exit(2)
}
process.exitCode = await commands[command]()

async function up() {
  const log = (line) => {
    console.log(`  ${line}`)
  }
  const found = await Promise.all(
    chosen.map(async (name) => {
      const begin = Date.now()
      return { ...(await ensure(name, { log })), seconds: (Date.now() - begin) / 1000 }
    }),
  )
  for (const one of found) console.log(`${describe(one)} (${one.seconds.toFixed(1)} s)`)
  return found.some((one) => one.missing) ? 1 : 0
}

async function down() {
  let code = 0
  for (const name of chosen) {
    try {
      console.log(`${name}: ${await stop(name)}`)
    } catch (error) {
      console.error(`${name}: ${error.message}`)
      code = 1
    }
  }
  sweep()
  return code
}

async function status() {
  for (const one of await Promise.all(chosen.map((name) => find(name)))) console.log(describe(one))
  console.log(`state: ${stateDir()}`)
  return 0
}

async function env() {
  for (const one of await Promise.all(chosen.map((name) => find(name)))) {
    if (one.missing) console.error(`# ${describe(one)}`)
    else console.log(`export ${variables[one.name]}='${one.url ?? one.path}'`)
  }
  return 0
}

function describe(one) {
  if (one.missing) return `${one.name}: missing: ${one.missing}`
  const pid = one.pid ? `, pid ${String(one.pid)}` : ''
  return `${one.name}: ${one.version} at ${masked(one.url ?? one.path)} (${one.how}${pid})`
}
