// RabbitMQ for tests: a private node with its own ports, data, logs, cookie and name service (epmd), all on
// loopback. The system's node, its files and its user account are never touched.
import fs from 'node:fs'
import path from 'node:path'
import { aptInstall } from './apt.mjs'
import { run, which } from './process.mjs'
import { freePort, probeAmqp } from './probe.mjs'
import { controlledServer } from './server.mjs'
import { throwAwayDir } from './throw-away.mjs'

export const rabbitmq = {
  name: 'rabbitmq',
  variable: 'TEST_AMQP_URL',
  defaultUrl: 'amqp://guest:guest@127.0.0.1:5672',
  composePort: 'CELERIAC_AMQP_PORT',
  urlFor: (port) => `amqp://guest:guest@127.0.0.1:${String(port)}`,
  probe: probeAmqp,
  startPrivate: startPrivateRabbit,
  attach: (record, options) =>
    withCtl(
      controlledServer(record, { ready: () => probeAmqp(record.url), running: record, ...options }),
      record,
    ),
}

// Debian's command in /usr/sbin changes to the user rabbitmq and to the system's folders; the script that it
// calls in the end does neither.
const scripts = '/usr/lib/rabbitmq/bin'
const erlang = ['/usr/lib/erlang/bin', '/usr/local/lib/erlang/bin', '/opt/homebrew/bin']

function commands() {
  return {
    server: which(`${scripts}/rabbitmq-server`, 'rabbitmq-server'),
    ctl: which(`${scripts}/rabbitmqctl`, 'rabbitmqctl'),
    epmd: which('epmd', ...erlang.map((folder) => `${folder}/epmd`)),
  }
}

/** The paths of the commands; installs RabbitMQ when it is missing and that is possible. */
async function binaries(log) {
  if (!commands().server) await aptInstall(['rabbitmq-server'], log)
  const found = commands()
  for (const [name, file] of Object.entries(found)) {
    if (!file) throw new Error(`RabbitMQ is installed without its command ${name}`)
  }
  return found
}

/**
 * Starts a RabbitMQ node of one's own, for tests that break it. It dies with this process unless `tied` is
 * false; call `dispose()` to remove its data as well. `ctl(...words)` runs rabbitmqctl on it.
 */
export async function startPrivateRabbit({
  port,
  dir = throwAwayDir('rabbitmq'),
  config = [],
  tied = true,
  changed,
  log = () => {},
} = {}) {
  const found = await binaries(log)
  const ports = { amqp: port ?? (await freePort()), dist: await freePort(), epmd: await freePort() }
  for (const folder of ['data', 'log', 'home']) {
    fs.mkdirSync(path.join(dir, folder), { recursive: true, mode: 0o700 })
  }
  writeConfig(dir, ports.amqp, config)
  const env = environment(dir, ports)
  const recipe = {
    name: 'rabbitmq',
    url: rabbitmq.urlFor(ports.amqp),
    port: ports.amqp,
    dir,
    logFile: path.join(dir, 'log', 'console.log'),
    command: found.server,
    args: [],
    env,
    cwd: dir,
    startMs: 90_000,
    stopMs: 20_000,
    ctl: found.ctl,
    helper: {
      command: found.epmd,
      args: ['-port', String(ports.epmd), '-address', '127.0.0.1'],
      env,
      cwd: dir,
    },
  }
  const ready = () => probeAmqp(recipe.url)
  const server = withCtl(controlledServer(recipe, { ready, tied, changed }), recipe)
  await server.start()
  return server
}

function writeConfig(dir, port, more) {
  const lines = [
    `listeners.tcp.default = 127.0.0.1:${String(port)}`,
    'disk_free_limit.absolute = 20MB',
  ]
  fs.writeFileSync(path.join(dir, 'rabbitmq.conf'), [...lines, ...more].join('\n') + '\n')
  fs.writeFileSync(path.join(dir, 'enabled_plugins'), '[].\n')
  fs.writeFileSync(path.join(dir, 'rabbitmq-env.conf'), '')
}

function environment(dir, ports) {
  const at = (name) => path.join(dir, name)
  return {
    HOME: at('home'),
    RABBITMQ_NODENAME: `celeriac-${String(ports.amqp)}@localhost`,
    RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
    RABBITMQ_NODE_PORT: String(ports.amqp),
    RABBITMQ_DIST_PORT: String(ports.dist),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    ERL_EPMD_PORT: String(ports.epmd),
    RABBITMQ_MNESIA_BASE: at('data'),
    RABBITMQ_LOG_BASE: at('log'),
    RABBITMQ_CONFIG_FILE: at('rabbitmq.conf'),
    RABBITMQ_CONF_ENV_FILE: at('rabbitmq-env.conf'),
    RABBITMQ_ENABLED_PLUGINS_FILE: at('enabled_plugins'),
    // One scheduler that sleeps when idle: on a small machine the tests need the processor more.
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: [
      '+S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none',
      '-kernel inet_dist_use_interface {127,0,0,1}',
    ].join(' '),
    // The start script then becomes the Erlang machine instead of waiting beside it: one process id, and
    // SIGTERM is a warm stop.
    RUNNING_UNDER_SYSTEMD: 'true',
    NOTIFY_SOCKET: '',
  }
}

function withCtl(server, { ctl, env }) {
  server.ctl = async (...words) => {
    const options = { deadlineMs: 30_000, env }
    const done = await run(ctl, ['-q', '-n', env.RABBITMQ_NODENAME, ...words], options)
    if (!done.ok) throw new Error(done.reason)
    return done.output
  }
  return server
}
