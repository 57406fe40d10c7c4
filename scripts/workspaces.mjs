// Which workspaces have tests: those with a jest configuration and at least one test file.
import fs from 'node:fs'
import path from 'node:path'
import { rootDir } from './services/state.mjs'

/** `{ dir, names }` of every workspace with tests, lower layers first. */
export function testWorkspaces() {
  const dirs = [...listed('packages'), ...listed('apps'), 'test-integration', 'bench', 'examples']
  return dirs
    .filter((dir) => fs.existsSync(path.join(rootDir, dir, 'jest.config.js')) && hasTests(dir))
    .map((dir) => ({ dir, names: [dir, path.basename(dir), packageName(dir)] }))
}

/** The folders of a workspace group; the order of names is also that of the layers. */
function listed(parent) {
  const at = path.join(rootDir, parent)
  if (!fs.existsSync(at)) return []
  return fs
    .readdirSync(at, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => path.join(parent, entry.name))
    .sort()
}

function packageName(dir) {
  return JSON.parse(fs.readFileSync(path.join(rootDir, dir, 'package.json'), 'utf8')).name
}

function hasTests(dir) {
  const skipped = ['node_modules', 'dist', 'coverage']
  return fs
    .readdirSync(path.join(rootDir, dir), { withFileTypes: true })
    .some((entry) =>
      entry.isDirectory()
        ? !skipped.includes(entry.name) && hasTests(path.join(dir, entry.name))
        : entry.name.endsWith('.test.ts'),
    )
}
