/** Tables of the broker, all under one prefix in one schema, so that the database may hold other things. */
import type { PostgresLink } from '../../clients/postgres.ts'
import { MessagingError } from '../../kernel/errors.ts'

const version = 1

/** The longest name PostgreSQL keeps, in bytes. */
const longestName = 63
/** Making tables may wait for others who make them. */
const patienceMs = 30_000

/** Quoted names of everything this transport keeps. */
export interface Tables {
  readonly schema: string
  readonly broker: string
  readonly messages: string
  readonly places: string
  readonly sessions: string
  readonly consumers: string
  readonly queues: string
  readonly exchanges: string
  readonly bindings: string
  readonly onwards: string
}

/** Throws `MESSAGING_OPTION_INVALID` for a name that cannot be one. */
export function tablesIn(schema: unknown): Tables {
  if (typeof schema !== 'string' || schema === '' || Buffer.byteLength(schema) > longestName) {
    throw new MessagingError(
      'MESSAGING_OPTION_INVALID',
      'fatal',
      `the PostgreSQL transport option schema must be a name of 1 to ${longestName} bytes, found ${JSON.stringify(schema)}`,
    )
  }
  const quoted = `"${schema.replaceAll('"', '""')}"`
  const name = (of: string): string => `${quoted}.celeriac_${of}`
  return {
    schema: quoted,
    broker: name('broker'),
    messages: name('messages'),
    places: name('places'),
    sessions: name('sessions'),
    consumers: name('consumers'),
    queues: name('queues'),
    exchanges: name('exchanges'),
    bindings: name('bindings'),
    onwards: name('exchange_bindings'),
  }
}

/**
 * A message waits (no owner, no due_at), is held by a session (owner), or waits for its hour (due_at). Its
 * id is its place in the queue. Ids of sessions are never used again: a session that was given up must not
 * be taken for another. Keys made of several texts are digests, since texts may be longer than an index
 * takes. Rows live for milliseconds: vacuum has to come after a few thousand dead ones, not after a fifth
 * of the table.
 */
const layout = (t: Tables): string => `
CREATE TABLE IF NOT EXISTS ${t.broker} (version integer NOT NULL);
CREATE SEQUENCE IF NOT EXISTS ${t.places};
CREATE TABLE IF NOT EXISTS ${t.messages} (
  id bigint PRIMARY KEY DEFAULT nextval('${t.places.replaceAll("'", "''")}'),
  queue text NOT NULL,
  priority smallint NOT NULL,
  attempts integer NOT NULL DEFAULT 0,
  redelivered boolean NOT NULL DEFAULT false,
  owner bigint,
  due_at timestamptz,
  expires_at timestamptz,
  text text NOT NULL
) WITH (autovacuum_vacuum_threshold = 2000, autovacuum_vacuum_scale_factor = 0.01);
CREATE INDEX IF NOT EXISTS celeriac_waiting ON ${t.messages} (queue, priority DESC, id)
  WHERE owner IS NULL AND due_at IS NULL;
CREATE INDEX IF NOT EXISTS celeriac_held ON ${t.messages} (owner) WHERE owner IS NOT NULL;
CREATE INDEX IF NOT EXISTS celeriac_due ON ${t.messages} (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS celeriac_expiring ON ${t.messages} (expires_at)
  WHERE expires_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS celeriac_expiring_of ON ${t.messages} (queue, expires_at)
  WHERE expires_at IS NOT NULL;
CREATE TABLE IF NOT EXISTS ${t.sessions} (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL,
  client text NOT NULL,
  lease_end timestamptz NOT NULL
) WITH (fillfactor = 50);
CREATE TABLE IF NOT EXISTS ${t.consumers} (
  queue text NOT NULL,
  session bigint NOT NULL,
  PRIMARY KEY (queue, session)
);
CREATE TABLE IF NOT EXISTS ${t.queues} (
  name text PRIMARY KEY,
  durable boolean NOT NULL,
  exclusive boolean NOT NULL,
  auto_delete boolean NOT NULL,
  arguments text NOT NULL,
  owner bigint,
  dead_letters boolean NOT NULL,
  ttl_ms double precision,
  expires_at timestamptz
);
CREATE TABLE IF NOT EXISTS ${t.exchanges} (
  name text PRIMARY KEY,
  type text NOT NULL,
  durable boolean NOT NULL,
  auto_delete boolean NOT NULL,
  arguments text NOT NULL
);
CREATE TABLE IF NOT EXISTS ${t.bindings} (
  key text PRIMARY KEY,
  exchange text NOT NULL,
  queue text NOT NULL,
  routing_key text NOT NULL,
  arguments text NOT NULL
);
CREATE INDEX IF NOT EXISTS celeriac_bound_from ON ${t.bindings} (exchange);
CREATE INDEX IF NOT EXISTS celeriac_bound_to ON ${t.bindings} (queue);
CREATE TABLE IF NOT EXISTS ${t.onwards} (
  key text PRIMARY KEY,
  exchange text NOT NULL,
  target text NOT NULL,
  routing_key text NOT NULL,
  arguments text NOT NULL
);
CREATE INDEX IF NOT EXISTS celeriac_onwards_from ON ${t.onwards} (exchange);
INSERT INTO ${t.broker} (version) SELECT ${version} WHERE NOT EXISTS (SELECT 1 FROM ${t.broker});
`

/** Makes what is missing; rejects for a layout of another version. Any number of processes at once. */
export async function prepareSchema(link: PostgresLink, t: Tables): Promise<void> {
  const found = await layoutOf(link, t)
  if (found === undefined) {
    // Asked first: a role may use a schema without the right to make one.
    const { rows } = await link.run({ text: 'SELECT to_regnamespace($1) IS NULL AS missing' }, [
      t.schema,
    ])
    const schema = rows[0]?.['missing'] === true ? `CREATE SCHEMA IF NOT EXISTS ${t.schema};` : ''
    await link.transact(
      [
        // One at a time: IF NOT EXISTS alone does not keep two from making the same thing.
        [{ text: "SELECT pg_advisory_xact_lock(hashtext('celeriac layout'))" }, []],
        [{ text: schema + layout(t) }, []],
      ],
      patienceMs,
    )
  }
  const made = found ?? (await layoutOf(link, t))
  if (made === version) return
  throw new MessagingError(
    'MESSAGING_CONNECT_FAILED',
    'fatal',
    `the tables in the schema ${t.schema} were made by another version of celeriac (layout ${String(made)}, here ${version})`,
  )
}

async function layoutOf(link: PostgresLink, t: Tables): Promise<unknown> {
  const { rows } = await link.run({ text: 'SELECT to_regclass($1) IS NOT NULL AS there' }, [
    t.broker,
  ])
  if (rows[0]?.['there'] !== true) return undefined
  const found = await link.run({ text: `SELECT version FROM ${t.broker}` })
  return found.rows[0]?.['version']
}
