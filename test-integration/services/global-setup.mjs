// Runs once before all integration tests: looks for the servers, without starting any, and hands what it
// found to the test files through the environment.
import { find, serviceNames } from '../../scripts/services/index.mjs'

export default async function setup() {
  const found = await Promise.all(serviceNames.map((name) => find(name)))
  process.env.CELERIAC_TEST_SERVICES = JSON.stringify(
    Object.fromEntries(found.map((one) => [one.name, one])),
  )
  const shown = found.map((one) => `${one.name} ${one.missing ? 'missing' : one.version}`)
  console.log(`\nservices: ${shown.join('; ')}`)
}
