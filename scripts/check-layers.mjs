// Refuses imports that point the wrong way: `check-layers.mjs [root folder]`. Proves the ranks of the
// folders, the borders of the packages, the pure folders and the one door of every library.
import fs from 'node:fs'
import { isBuiltin } from 'node:module'
import path from 'node:path'
import { doors, impureCode, impureModules, packages, pure, ranks } from './layers/rules.mjs'
import { importsOf, lineAt, mask } from './layers/source.mjs'

const root = path.resolve(process.argv[2] ?? path.join(import.meta.dirname, '..'))
const problems = []
let files = 0

if (!fs.existsSync(root)) {
  console.error(`no such folder: ${root}`)
  process.exit(2)
}
for (const workspace of workspaces()) checkWorkspace(workspace)
for (const problem of problems) console.error(problem)
console.log(
  problems.length === 0
    ? `layers: ${String(files)} files, all imports point downwards`
    : `layers: ${String(problems.length)} problems in ${String(files)} files`,
)
process.exit(problems.length === 0 ? 0 : 1)

function workspaces() {
  return ['packages', 'apps'].flatMap((parent) => {
    const at = path.join(root, parent)
    if (!fs.existsSync(at)) return []
    return fs
      .readdirSync(at, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && fs.existsSync(path.join(at, entry.name, 'src')))
      .map((entry) => `${parent}/${entry.name}`)
      .sort()
  })
}

function checkWorkspace(workspace) {
  if (!Object.hasOwn(packages, workspace)) {
    problems.push(`${workspace}: not in scripts/layers/rules.mjs; say there what it may import`)
    return
  }
  const manifest = readManifest(workspace)
  for (const file of sourceFiles(path.join(root, workspace, 'src'))) {
    files += 1
    const inside = slashed(path.relative(path.join(root, workspace, 'src'), file))
    checkFile({ workspace, manifest, file, inside, shown: `${workspace}/src/${inside}` })
  }
}

function checkFile(source) {
  const { workspace, inside, shown } = source
  const masked = mask(fs.readFileSync(source.file, 'utf8'))
  const report = (line, text) => problems.push(`${shown}:${String(line)}: ${text}`)
  const place = placeOf(workspace, inside)
  if (place?.rank === undefined && place !== undefined) {
    report(1, `the folder ${place.name} has no rank; add it to scripts/layers/rules.mjs`)
  }
  const isPure = (pure[workspace] ?? []).some((one) => isWithin(inside, one))
  for (const { module, line } of importsOf(masked)) {
    const reason = refusal(source, place, module) ?? (isPure ? impureImport(module) : undefined)
    if (reason !== undefined) report(line, reason)
  }
  if (isPure) checkPurity(masked.code, report)
}

/** Why this import is not allowed, or undefined. */
function refusal(source, place, module) {
  if (module.startsWith('.')) return refusedPath(source, place, module)
  if (module.startsWith('/') || module.startsWith('file:') || module.startsWith('#')) {
    return `imports ${module}: expected a relative path or the name of a package`
  }
  const name = isBuiltin(module) && !module.startsWith('node:') ? `node:${module}` : module
  const library = libraryOf(name)
  if (library.startsWith('@celeriac/')) return refusedPackage(source, place, module)
  const door = Object.hasOwn(doors, library) ? doors[library] : undefined
  if (
    door !== undefined &&
    !(door.endsWith('/') ? source.shown.startsWith(door) : source.shown === door)
  ) {
    return `imports ${library}, whose only door is ${door}`
  }
  // Newer Node has built-in modules that this one does not know.
  if (library.startsWith('node:')) return undefined
  return source.manifest.has(library)
    ? undefined
    : `imports ${library}, which ${source.workspace}/package.json does not declare`
}

function refusedPath({ workspace, inside }, place, module) {
  const target = path.posix.normalize(path.posix.join(path.posix.dirname(inside), module))
  if (target.startsWith('..')) return `imports ${module}, which lies outside of ${workspace}/src`
  const other = placeOf(workspace, target)
  if (place === undefined || other === undefined || other.name === place.name) return undefined
  if (place.rank === undefined) return undefined
  if (other.rank === undefined) return `imports ${module}: the folder ${other.name} has no rank`
  if (other.rank < place.rank) return undefined
  const relation = other.rank === place.rank ? 'a sibling of the same rank' : 'a higher rank'
  const ranked = (one) => `${one.name} (rank ${String(one.rank)})`
  return `${ranked(place)} imports ${module} from ${ranked(other)}, ${relation}; only lower ranks are allowed`
}

function refusedPackage({ workspace }, place, module) {
  const allowed = packages[workspace]
  const fits = ({ name, within }) =>
    name === module && (within === undefined || within === place?.name)
  if (allowed.some(fits)) return undefined
  const names = allowed.map(({ name, within }) => (within ? `${name} (in ${within})` : name))
  return `imports ${module}: ${workspace} may import ${names.join(', ') || 'none of our packages'}`
}

function impureImport(module) {
  const name = isBuiltin(module) && !module.startsWith('node:') ? `node:${module}` : module
  return impureModules.includes(name) ? `a pure folder imports ${name}` : undefined
}

function checkPurity(code, report) {
  for (const [pattern, what, instead] of impureCode) {
    for (const match of code.matchAll(new RegExp(pattern, 'g'))) {
      report(lineAt(code, match.index), `a pure folder uses ${what}; ${instead}`)
    }
  }
}

/** The top folder (or the entry file's name) and its rank; undefined where a workspace has no ranks. */
function placeOf(workspace, inside) {
  if (!Object.hasOwn(ranks, workspace)) return undefined
  const name = inside.split('/')[0].replace(/\.[cm]?[jt]s$/, '')
  const rank = ranks[workspace].findIndex((folders) => folders.includes(name))
  return { name, rank: rank < 0 ? undefined : rank }
}

/** Whether a file is the named file or lies in the named folder. */
function isWithin(inside, name) {
  return inside.startsWith(`${name}/`) || inside.replace(/\.[cm]?ts$/, '') === name
}

function libraryOf(module) {
  if (module.startsWith('node:')) return module
  return module
    .split('/')
    .slice(0, module.startsWith('@') ? 2 : 1)
    .join('/')
}

function readManifest(workspace) {
  const file = path.join(root, workspace, 'package.json')
  if (!fs.existsSync(file)) return new Set()
  const manifest = JSON.parse(fs.readFileSync(file, 'utf8'))
  const groups = ['dependencies', 'peerDependencies', 'optionalDependencies']
  return new Set(groups.flatMap((group) => Object.keys(manifest[group] ?? {})))
}

function sourceFiles(folder) {
  return fs.readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const at = path.join(folder, entry.name)
    if (entry.isDirectory()) return sourceFiles(at)
    return /\.[cm]?tsx?$/.test(entry.name) ? [at] : []
  })
}

function slashed(file) {
  return file.split(path.sep).join('/')
}
