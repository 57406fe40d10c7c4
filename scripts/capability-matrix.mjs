// Writes docs/capabilities.md: what every transport can do, from the shelf itself and the comments of
// `Capabilities`. Needs a build. `--check` writes nothing and fails when the file is stale.
import fs from 'node:fs'
import path from 'node:path'
import { transports } from '@celeriac/messaging'
import * as prettier from 'prettier'
import { rootDir } from './services/state.mjs'

const file = path.join(rootDir, 'docs', 'capabilities.md')
const source = path.join(rootDir, 'packages/messaging/src/transport/capabilities.ts')
const titles = {
  memory: 'memory',
  sqlite: 'SQLite',
  filesystem: 'folders',
  redis: 'Redis',
  postgres: 'PostgreSQL',
  mongodb: 'MongoDB',
  amqp: 'RabbitMQ',
}

const text = await page(await columns(), meanings())
const present = fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : ''
if (present === text) console.log('docs/capabilities.md is up to date')
else if (process.argv.includes('--check')) {
  console.error(
    'docs/capabilities.md is stale: run `node scripts/capability-matrix.mjs` after a build',
  )
  process.exitCode = 1
} else {
  fs.writeFileSync(file, text)
  console.log('docs/capabilities.md was written')
}

/** One for each transport; schemes whose transport can do the same share it. */
async function columns() {
  const found = new Map()
  for (const [scheme, entry] of Object.entries(transports)) {
    const { name, capabilities } = await entry.load()
    const key = JSON.stringify([name, capabilities])
    const column = found.get(key) ?? { name, capabilities, schemes: [], entries: [] }
    column.schemes.push(scheme)
    column.entries.push([scheme, entry])
    found.set(key, column)
  }
  const all = [...found.values()]
  return all.map((column) => {
    const isOnly = all.filter(({ name }) => name === column.name).length === 1
    const title = titles[column.name] ?? column.name
    return { ...column, title: isOnly ? title : `${title} (\`${column.schemes[0]}\`)` }
  })
}

/** Name of each field → its comment; throws for a field without one, but for the types of exchanges. */
function meanings() {
  const code = fs.readFileSync(source, 'utf8')
  const [, body] = /export interface Capabilities \{\n([\s\S]*?)\n\}/.exec(code) ?? []
  if (body === undefined) throw new Error(`${source} has no interface Capabilities`)
  const found = new Map()
  for (const [, comment, name] of body.matchAll(
    /(?:\/\*\*([\s\S]*?)\*\/\s*)?readonly (\w+)\??:/g,
  )) {
    const words = (comment ?? 'Types of exchanges.').replaceAll(/\s*\n\s*\*\s*/g, ' ').trim()
    if (comment === undefined && name !== 'exchangeTypes')
      throw new Error(`Capabilities.${name} has no comment`)
    found.set(name, words)
  }
  return found
}

async function page(all, fields) {
  const unknown = all.flatMap(({ capabilities }) =>
    Object.keys(capabilities).filter((name) => !fields.has(name)),
  )
  if (unknown.length > 0)
    throw new Error(`fields that Capabilities does not name: ${unknown.join()}`)
  const row = (cells) => `| ${cells.join(' | ')} |`
  const lines = [
    '# What each transport can do',
    '',
    'Written by `scripts/capability-matrix.mjs` from the shelf of transports; a test fails when it is stale. Every',
    'entry is held by the suite in both directions: what is declared works, and what is not is refused with',
    '`MESSAGING_NOT_SUPPORTED`, or passed over where the meaning says so. In a program:',
    '`await connection.capabilities()`.',
    '',
    row(['', ...all.map(({ title }) => title)]),
    row(['---', ...all.map(() => '---')]),
    ...[...fields.keys()].map((name) =>
      row([`\`${name}\``, ...all.map(({ capabilities }) => shown(capabilities[name]))]),
    ),
    '',
    '## What the rows mean',
    '',
    row(['', '']),
    row(['---', '---']),
    ...[...fields].map(([name, meaning]) => row([`\`${name}\``, meaning.replaceAll('|', '\\|')])),
    '',
    '## URL schemes',
    '',
    row(['transport', 'scheme', 'default port', '']),
    row(['---', '---', '---', '---']),
    ...all.flatMap(({ title, entries }) =>
      entries.map(([scheme, entry]) =>
        row([title, `\`${scheme}://\``, entry.defaultPort ?? '', remarks(entry)]),
      ),
    ),
    '',
  ]
  const options = await prettier.resolveConfig(file)
  return await prettier.format(lines.join('\n'), { ...options, filepath: file })
}

function shown(value) {
  if (value === true) return 'yes'
  if (value === false || value === undefined || value === 'none') return ''
  return Array.isArray(value) ? value.join(', ') : String(value).replaceAll('-', ' ')
}

function remarks({ gathers, publishesApart }) {
  return [
    ...(gathers ? ['several URLs name the servers of one target'] : []),
    ...(publishesApart ? ['publishing has a link of its own'] : []),
  ].join('; ')
}
