/** Tables of the embedded broker, all under one prefix so that the file may hold other things as well. */
import type { SqliteDatabase, SqliteStatement } from '../../clients/sqlite.ts'
import { MessagingError } from '../../kernel/errors.ts'

const version = 2

/**
 * A message waits (no owner, no due), is held by a session (owner), or waits for its hour (due). Its id is
 * its place in the queue. Ids of sessions are never used again: a session that was given up must not be
 * taken for another.
 */
const tables = `
CREATE TABLE IF NOT EXISTS celeriac_messages (
  id INTEGER PRIMARY KEY,
  queue TEXT NOT NULL,
  priority INTEGER NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  owner INTEGER,
  due INTEGER,
  expires INTEGER,
  text TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS celeriac_waiting ON celeriac_messages (queue, priority DESC, id)
  WHERE owner IS NULL AND due IS NULL;
CREATE INDEX IF NOT EXISTS celeriac_held ON celeriac_messages (owner) WHERE owner IS NOT NULL;
CREATE INDEX IF NOT EXISTS celeriac_due ON celeriac_messages (due) WHERE due IS NOT NULL;
CREATE INDEX IF NOT EXISTS celeriac_expiring ON celeriac_messages (expires)
  WHERE expires IS NOT NULL AND owner IS NULL;
CREATE TABLE IF NOT EXISTS celeriac_sessions (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL,
  lease_end INTEGER NOT NULL,
  host TEXT NOT NULL,
  pid INTEGER NOT NULL,
  started TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS celeriac_queues (
  name TEXT PRIMARY KEY,
  declaration TEXT NOT NULL,
  ttl INTEGER,
  used INTEGER NOT NULL,
  owner INTEGER
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS celeriac_consumers (
  queue TEXT NOT NULL,
  session INTEGER NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (queue, session)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS celeriac_consuming ON celeriac_consumers (session);
CREATE TABLE IF NOT EXISTS celeriac_exchange_bindings (
  exchange TEXT NOT NULL,
  target TEXT NOT NULL,
  routing_key TEXT NOT NULL,
  arguments TEXT NOT NULL,
  PRIMARY KEY (exchange, target, routing_key, arguments)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS celeriac_exchanges (
  name TEXT PRIMARY KEY,
  type TEXT NOT NULL,
  durable INTEGER NOT NULL,
  auto_delete INTEGER NOT NULL,
  arguments TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS celeriac_bindings (
  exchange TEXT NOT NULL,
  queue TEXT NOT NULL,
  routing_key TEXT NOT NULL,
  arguments TEXT NOT NULL,
  PRIMARY KEY (exchange, queue, routing_key, arguments)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS celeriac_bound ON celeriac_bindings (queue);
`

/** Makes what is missing, inside a transaction of the caller; throws for a file of another version. */
export function prepareSchema(database: SqliteDatabase, path: string): void {
  // First of all: the tables of another layout have other columns.
  database.exec('CREATE TABLE IF NOT EXISTS celeriac_broker (version INTEGER NOT NULL) STRICT')
  const found = database.prepare('SELECT version FROM celeriac_broker').get()?.['version']
  if (found !== undefined && found !== version) {
    throw new MessagingError(
      'MESSAGING_CONNECT_FAILED',
      'fatal',
      `${path} was written by another version of celeriac (layout ${String(found)}, here ${version}): finish its messages there, or move the file away`,
    )
  }
  database.exec(tables)
  if (found === undefined)
    database.prepare('INSERT INTO celeriac_broker (version) VALUES (?)').run(version)
}

const waiting = 'owner IS NULL AND due IS NULL'
const given = 'SELECT value FROM json_each(?)'

const sources = {
  begin: 'BEGIN IMMEDIATE',
  commit: 'COMMIT',
  rollback: 'ROLLBACK',
  dataVersion: 'PRAGMA data_version',

  push: 'INSERT INTO celeriac_messages (queue, priority, text, expires, due) VALUES (?, ?, ?, ?, ?)',
  isWaiting: `SELECT 1 AS found FROM celeriac_messages WHERE queue = ? AND ${waiting} LIMIT 1`,
  count: `SELECT count(*) AS count FROM celeriac_messages WHERE queue = ? AND ${waiting}`,
  purge: `DELETE FROM celeriac_messages WHERE queue = ? AND ${waiting}`,
  dropDelayed: 'DELETE FROM celeriac_messages WHERE queue = ? AND due IS NOT NULL',
  /** Owner, queue, number. */
  claim: `UPDATE celeriac_messages SET owner = ? WHERE id IN (
    SELECT id FROM celeriac_messages WHERE queue = ? AND ${waiting} ORDER BY priority DESC, id LIMIT ?
  ) RETURNING id, queue, priority, attempts, text`,
  candidates: `SELECT id, priority FROM celeriac_messages WHERE queue = ? AND ${waiting}
    ORDER BY priority DESC, id LIMIT ?`,
  /** Owner, list of ids. */
  claimThese: `UPDATE celeriac_messages SET owner = ? WHERE id IN (${given})
    RETURNING id, queue, priority, attempts, text`,
  /** Owner, list of ids. */
  remove: `DELETE FROM celeriac_messages WHERE owner = ? AND id IN (${given})`,
  restore: 'UPDATE celeriac_messages SET owner = NULL, text = ? WHERE id = ? AND owner = ?',
  requeue: `UPDATE celeriac_messages SET owner = NULL, text = ?,
    id = (SELECT max(id) + 1 FROM celeriac_messages) WHERE id = ? AND owner = ?`,
  delay: 'UPDATE celeriac_messages SET owner = NULL, due = ? WHERE id = ? AND owner = ?',
  heldBy: 'SELECT id, queue, text FROM celeriac_messages WHERE owner = ?',
  giveBack: `UPDATE celeriac_messages SET owner = NULL, attempts = attempts + 1 WHERE owner = ?
    RETURNING queue`,
  release: 'UPDATE celeriac_messages SET due = NULL WHERE due <= ? RETURNING queue',
  nextDue: 'SELECT min(due) AS due FROM celeriac_messages WHERE due IS NOT NULL',
  /** Owner, now, number: those nobody has and whose time is over. */
  claimExpired: `UPDATE celeriac_messages SET owner = ?, due = NULL WHERE id IN (
    SELECT id FROM celeriac_messages
    WHERE expires IS NOT NULL AND owner IS NULL AND expires <= ? ORDER BY expires LIMIT ?
  ) RETURNING id, queue, priority, attempts, text`,
  nextExpiry: `SELECT min(expires) AS expires FROM celeriac_messages
    WHERE expires IS NOT NULL AND owner IS NULL`,

  beginSession: `INSERT INTO celeriac_sessions (name, lease_end, host, pid, started) VALUES (?, ?, ?, ?, ?)
    RETURNING id`,
  lives: 'SELECT 1 AS found FROM celeriac_sessions WHERE id = ?',
  renew: 'UPDATE celeriac_sessions SET lease_end = ? WHERE id = ?',
  others: 'SELECT id, lease_end, host, pid, started FROM celeriac_sessions WHERE id <> ?',
  endSession: 'DELETE FROM celeriac_sessions WHERE id = ?',

  findQueue: 'SELECT declaration, ttl, owner FROM celeriac_queues WHERE name = ?',
  declareQueue: `INSERT INTO celeriac_queues (name, declaration, ttl, used, owner)
    VALUES (?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET declaration = excluded.declaration,
    ttl = excluded.ttl, used = excluded.used, owner = excluded.owner`,
  useQueue: 'UPDATE celeriac_queues SET used = ? WHERE name = ? AND ttl IS NOT NULL',
  unusedQueues: `SELECT name FROM celeriac_queues WHERE ttl IS NOT NULL AND used + ttl <= ?
    AND name NOT IN (SELECT queue FROM celeriac_consumers)`,
  nextUnused: `SELECT min(used + ttl) AS ends FROM celeriac_queues WHERE ttl IS NOT NULL
    AND name NOT IN (SELECT queue FROM celeriac_consumers)`,
  removeQueue: 'DELETE FROM celeriac_queues WHERE name = ?',
  ownedBy: 'SELECT name FROM celeriac_queues WHERE owner = ?',

  join: `INSERT INTO celeriac_consumers (queue, session, count) VALUES (?, ?, 1)
    ON CONFLICT (queue, session) DO UPDATE SET count = count + 1`,
  leave: 'UPDATE celeriac_consumers SET count = count - 1 WHERE queue = ? AND session = ?',
  leaveIdle: 'DELETE FROM celeriac_consumers WHERE queue = ? AND session = ? AND count <= 0',
  forgetConsumer: 'DELETE FROM celeriac_consumers WHERE queue = ? AND session = ?',
  consumers: 'SELECT coalesce(sum(count), 0) AS count FROM celeriac_consumers WHERE queue = ?',
  consumedBy: 'SELECT queue FROM celeriac_consumers WHERE session = ?',

  removeBindingsOf: 'DELETE FROM celeriac_bindings WHERE queue = ?',

  findExchange: 'SELECT * FROM celeriac_exchanges WHERE name = ?',
  declareExchange: `INSERT INTO celeriac_exchanges (name, type, durable, auto_delete, arguments)
    VALUES (?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET type = excluded.type,
    durable = excluded.durable, auto_delete = excluded.auto_delete, arguments = excluded.arguments`,
  removeExchange: 'DELETE FROM celeriac_exchanges WHERE name = ?',
  removeBindingsTo: 'DELETE FROM celeriac_bindings WHERE exchange = ?',
  removeOnwards: 'DELETE FROM celeriac_exchange_bindings WHERE exchange = ?1 OR target = ?1',
  bindExchange: `INSERT OR IGNORE INTO celeriac_exchange_bindings
    (exchange, target, routing_key, arguments) VALUES (?, ?, ?, ?)`,
  unbindExchange: `DELETE FROM celeriac_exchange_bindings
    WHERE exchange = ? AND target = ? AND routing_key = ? AND arguments = ?`,
  onwards: `SELECT target, routing_key, arguments FROM celeriac_exchange_bindings
    WHERE exchange = ? ORDER BY target, routing_key`,
  bind: `INSERT OR IGNORE INTO celeriac_bindings (exchange, queue, routing_key, arguments)
    VALUES (?, ?, ?, ?)`,
  unbind: `DELETE FROM celeriac_bindings
    WHERE exchange = ? AND queue = ? AND routing_key = ? AND arguments = ?`,
  bindings: `SELECT queue, routing_key, arguments FROM celeriac_bindings WHERE exchange = ?
    ORDER BY queue, routing_key`,
} as const

export type Statements = Readonly<Record<keyof typeof sources, SqliteStatement>>

/** Every statement, compiled once. */
export function prepareStatements(database: SqliteDatabase): Statements {
  const prepared = Object.entries(sources).map(([name, sql]) => [name, database.prepare(sql)])
  return Object.fromEntries(prepared) as Statements
}
