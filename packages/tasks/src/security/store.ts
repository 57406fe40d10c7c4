/** The certificates of those whose messages are taken: all files of a directory, or those a glob names. */
import { readdir, readFile, stat } from 'node:fs/promises'
import { sep } from 'node:path'
import { ConfigError, SecurityError } from '../kernel/errors.ts'
import { Certificate } from './certificate.ts'

export class CertificateStore {
  readonly #byId = new Map<string, Certificate>()

  /** Throws `TASKS_SECURITY_CERTIFICATE_DUPLICATE` when two have the same id. */
  constructor(certificates: Iterable<Certificate>) {
    for (const certificate of certificates) {
      const before = this.#byId.get(certificate.id)
      if (before) {
        throw new SecurityError(
          'TASKS_SECURITY_CERTIFICATE_DUPLICATE',
          `${before.source} and ${certificate.source} are both '${certificate.id}': remove one, or make it with another serial number`,
        )
      }
      this.#byId.set(certificate.id, certificate)
    }
  }

  get size(): number {
    return this.#byId.size
  }

  get(id: string): Certificate | undefined {
    return this.#byId.get(id)
  }
}

/**
 * Reads them. Rejects with `TASKS_CONFIG_INVALID` when there is none, with `TASKS_SECURITY_CERTIFICATE_…` for
 * one that cannot be read, has expired, or is there twice. Directories within are passed over.
 */
export async function readStore(path: string, nowMs: number): Promise<CertificateStore> {
  const certificates: Certificate[] = []
  for (const file of await filesOf(path)) {
    const certificate = new Certificate(await readFile(file), file)
    certificate.checkExpiry(nowMs)
    certificates.push(certificate)
  }
  if (certificates.length > 0) return new CertificateStore(certificates)
  throw new ConfigError(
    'TASKS_CONFIG_INVALID',
    `securityCertStore: there is no certificate in ${path}; name a directory of PEM files or a glob`,
    'securityCertStore',
  )
}

async function filesOf(path: string): Promise<string[]> {
  const isDirectory = (await stat(path).catch(() => undefined))?.isDirectory() ?? false
  const found = isDirectory ? await matching(path, /^/, false) : await expand(path)
  const files: string[] = []
  for (const one of found.toSorted()) if ((await stat(one)).isFile()) files.push(one)
  return files
}

/** Paths a glob names: `*`, `?` and `[…]` within one part of the path. Names with a dot in front are hidden. */
async function expand(glob: string): Promise<string[]> {
  const parts = glob.replaceAll(sep, '/').split('/')
  let paths = [parts.shift()!]
  if (/[*?[]/.test(paths[0]!)) {
    parts.unshift(paths[0]!)
    paths = ['.']
  }
  for (const part of parts) {
    const next: string[] = []
    for (const path of paths) {
      if (!/[*?[]/.test(part)) next.push(`${path}/${part}`)
      else next.push(...(await matching(path, patternOf(part), part.startsWith('.'))))
    }
    paths = next
  }
  const exists = async (path: string): Promise<boolean> =>
    await stat(path).then(
      () => true,
      () => false,
    )
  const there = await Promise.all(paths.map(exists))
  return paths.filter((_, i) => there[i])
}

async function matching(path: string, pattern: RegExp, hidden: boolean): Promise<string[]> {
  const names = await readdir(path === '' ? '/' : path).catch(() => [])
  return names
    .filter((name) => pattern.test(name) && (hidden || !name.startsWith('.')))
    .map((name) => `${path}/${name}`)
}

function patternOf(part: string): RegExp {
  const source = part.replaceAll(/\[!?\]?[^\]]*\]|[\s\S]/gu, (token) => {
    if (token === '*') return '.*'
    if (token === '?') return '.'
    if (token.length > 1 && token.startsWith('['))
      return `[${token.slice(1, -1).replace(/^!/, '^').replaceAll('\\', '\\\\')}]`
    return token.replace(/[\\^$.*+?()[\]{}|/-]/u, '\\$&')
  })
  return new RegExp(`^${source}$`, 'su')
}
