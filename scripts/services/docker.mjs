// Test servers from docker-compose.yml, for machines with a docker daemon. A daemon that does not answer
// at once counts as absent.
import path from 'node:path'
import { run, which } from './process.mjs'
import { rootDir } from './state.mjs'

const compose = (project) => [
  'compose',
  '--project-name',
  project,
  '--file',
  path.join(rootDir, 'docker-compose.yml'),
]

/** Undefined when docker can be used, otherwise the reason why not. */
export async function dockerProblem() {
  if (!which('docker')) return 'docker is not installed'
  const daemon = await run('docker', ['info', '--format', '{{.ServerVersion}}'], {
    deadlineMs: 4000,
  })
  if (!daemon.ok) return 'the docker daemon does not answer'
  const plugin = await run('docker', ['compose', 'version'], { deadlineMs: 4000 })
  return plugin.ok ? undefined : 'docker has no compose'
}

/** Starts one service of the compose file on the given host port; waits for its health check. */
export async function composeUp(project, service, portVariable, port) {
  const env = { [portVariable]: String(port) }
  const words = [...compose(project), 'up', '--detach', '--wait', service]
  const done = await run('docker', words, { deadlineMs: 300_000, env })
  if (!done.ok) {
    await composeDown(project)
    throw new Error(`docker compose: ${done.reason}`)
  }
}

/** Removes the project's containers and their data. */
export async function composeDown(project) {
  const words = [...compose(project), 'down', '--volumes', '--timeout', '10']
  const done = await run('docker', words, { deadlineMs: 60_000 })
  if (!done.ok) throw new Error(`docker compose down: ${done.reason}`)
}

/** Whether the project has a running container. */
export async function composeRuns(project) {
  const words = [...compose(project), 'ps', '--quiet', '--status', 'running']
  const done = await run('docker', words, { deadlineMs: 10_000 })
  return done.ok && done.output.trim() !== ''
}
