// Installs Debian packages when a server is missing. The packages must not start a system service: that
// would occupy the default port, write to the system's data folder and outlive the tests.
import fs from 'node:fs'
import { run, which } from './process.mjs'
import { withLock } from './state.mjs'

const policyFile = '/usr/sbin/policy-rc.d'

/** Whether packages can be installed here; otherwise the reason why not. */
async function privilege() {
  if (!which('apt-get')) return { reason: 'there is no apt-get' }
  if (process.getuid?.() === 0) return { prefix: [] }
  const sudo = which('sudo')
  if (sudo && (await run(sudo, ['-n', 'true'], { deadlineMs: 5000 })).ok)
    return { prefix: ['sudo', '-n'] }
  return { reason: 'installing it needs root or a sudo that asks no password' }
}

/** Installs the packages, without starting anything; throws with the reason when that is impossible. */
export async function aptInstall(packages, log) {
  // One at a time: an installation must not remove the policy file that another one relies on.
  await withLock('apt', () => install(packages, log))
}

async function install(packages, log) {
  const { prefix, reason } = await privilege()
  if (!prefix) throw new Error(reason)
  const asRoot = (words, options) =>
    run([...prefix, ...words][0], [...prefix, ...words].slice(1), options)
  // sudo drops the environment, therefore `env` is part of the command.
  const apt = (words, deadlineMs) =>
    asRoot(['env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', ...words], { deadlineMs })

  log(`installing ${packages.join(' ')} with apt-get`)
  const update = await apt(['update', '-q'], 180_000)
  // An outdated list is often good enough; the installation decides.
  if (!update.ok) log(`apt-get update failed, going on: ${update.reason}`)

  const ours = !fs.existsSync(policyFile)
  if (ours) {
    const script = '#!/bin/sh\nexit 101\n'
    await asRoot(['sh', '-c', `cat > ${policyFile} && chmod 755 ${policyFile}`], { input: script })
  }
  try {
    const options = ['-o', 'DPkg::Lock::Timeout=120', '-o', 'Dpkg::Options::=--force-confold']
    const words = ['install', '-y', '-q', '--no-install-recommends', ...options, ...packages]
    const done = await apt(words, 600_000)
    if (!done.ok) throw new Error(`apt-get could not install ${packages.join(' ')}: ${done.reason}`)
  } finally {
    if (ours) await asRoot(['rm', '-f', policyFile])
  }
}
