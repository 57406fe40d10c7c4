/**
 * A process of its own: compiles one TypeScript file and every one it imports, each to a file of its own, so
 * that modules stay the modules they are. Prints source file → URL of the result as JSON.
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, realpathSync, renameSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { build, type Plugin } from 'esbuild'

const isTypeScript = /\.[cm]?tsx?$/

/** The folder results go to: inside the project, so that they find the same packages as the sources. */
function outputFolder(file: string): string {
  for (let folder = path.dirname(file); ; folder = path.dirname(folder)) {
    if (existsSync(path.join(folder, 'node_modules')))
      return path.join(folder, 'node_modules', '.cache', 'celeriac')
    if (folder === path.dirname(folder)) return path.join(path.dirname(file), '.celeriac', 'build')
  }
}

function outputOf(file: string): string {
  const folder = outputFolder(file)
  const hash = createHash('sha256').update(file).digest('hex').slice(0, 12)
  return path.join(folder, `${path.basename(file).replace(isTypeScript, '')}-${hash}.mjs`)
}

/** Finds what a file imports; every import stays one, pointing to where it will be. */
function linking(onFound: (file: string) => void): Plugin {
  return {
    name: 'link',
    setup(context) {
      context.onResolve({ filter: /.*/ }, async (args) => {
        if (args.kind === 'entry-point' || args.pluginData === 'asked') return undefined
        const isPath = /^(\.{0,2}\/|\.{1,2}$|[a-z]:[\\/])/i.test(args.path)
        const found = await context.resolve(args.path, {
          resolveDir: args.resolveDir,
          importer: args.importer,
          kind: args.kind,
          with: args.with,
          pluginData: 'asked',
        })
        // A package, or something built in: Node finds it from the result as it would from the source.
        if (found.errors.length > 0) return isPath ? { errors: found.errors } : external(args.path)
        if (found.namespace !== 'file' || found.external) return external(args.path)
        if (isTypeScript.test(found.path) && !found.path.includes('node_modules')) {
          onFound(found.path)
          return external(pathToFileURL(outputOf(found.path)).href)
        }
        return external(isPath ? pathToFileURL(found.path).href : args.path)
      })
    },
  }
}

const external = (to: string) => ({ path: to, external: true })

async function compileOne(file: string, onFound: (file: string) => void): Promise<void> {
  const url = pathToFileURL(file).href
  const { outputFiles } = await build({
    entryPoints: [file],
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    sourcemap: 'inline',
    sourcesContent: false,
    outfile: outputOf(file),
    logLevel: 'silent',
    // A module that looks for its neighbours must find those of the source.
    define: {
      'import.meta.url': JSON.stringify(url),
      'import.meta.filename': JSON.stringify(file),
      'import.meta.dirname': JSON.stringify(path.dirname(file)),
    },
    plugins: [linking(onFound)],
  })
  const output = outputOf(file)
  mkdirSync(path.dirname(output), { recursive: true })
  // Renamed into place: other workers may be starting with the same files.
  const draft = `${output}.${process.pid}`
  writeFileSync(draft, outputFiles[0]!.contents)
  renameSync(draft, output)
}

async function compileAll(entry: string): Promise<Record<string, string>> {
  const results: Record<string, string> = {}
  const waiting = [entry]
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (results[file] !== undefined) continue
    results[file] = pathToFileURL(outputOf(file)).href
    await compileOne(file, (found) => waiting.push(found))
  }
  return results
}

const given = process.argv[2]!
try {
  const real = realpathSync(given)
  const results = await compileAll(real)
  process.stdout.write(JSON.stringify({ ...results, [given]: results[real] }))
} catch (error) {
  process.stderr.write(error instanceof Error ? error.message : String(error))
  process.exitCode = 1
}
