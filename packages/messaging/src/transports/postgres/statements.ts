/**
 * Every statement of the broker. The server's clock counts, for all sessions alike; rows that others work
 * on are passed over, never waited for, so that no two statements can block each other.
 */
import type { Statement } from '../../clients/postgres.ts'
import type { Tables } from './schema.ts'

/** Rows that one tick moves at most; more is left to the next, which comes at once. */
export const sweepLimit = 1000
/** Dead letters that one tick takes at most. */
export const buryLimit = 200

const waiting = '(owner IS NULL AND due_at IS NULL AND (expires_at IS NULL OR expires_at > now()))'
const unexpired = '(expires_at IS NULL OR expires_at > now())'

export type StatementName = keyof ReturnType<typeof sources>
export type Statements = Readonly<Record<StatementName, Statement>>

export function statementsFor(tables: Tables): Statements {
  const named = Object.entries(sources(tables)).map(([name, text]) => [
    name,
    { name: `celeriac_${name}`, text },
  ])
  return Object.fromEntries(named) as Statements
}

const sources = (t: Tables) => ({
  notify: "SELECT pg_notify(channel, '') FROM unnest($1::text[]) AS channel",

  /** Queues, priorities, expiries in ms since 1970 or null, texts: one place in each for every message. */
  push: `INSERT INTO ${t.messages} (queue, priority, expires_at, text)
    SELECT queue, priority, to_timestamp(expires / 1000), text
    FROM unnest($1::text[], $2::smallint[], $3::float8[], $4::text[]) WITH ORDINALITY
      AS m (queue, priority, expires, text, n) ORDER BY n`,

  /**
   * Session, queues, number. Rows come urgent first, and in turns among queues of equal urgency. The
   * session's row is locked until the claim is kept, so that whoever declares it dead sees what it holds;
   * not before there is something, since a lock is a write. \`more\`: others were at work on rows.
   */
  claim: `WITH candidates AS MATERIALIZED (
      SELECT q.n, m.id, m.priority FROM unnest($2::text[]) WITH ORDINALITY AS q (name, n)
      CROSS JOIN LATERAL (
        SELECT id, priority FROM ${t.messages} WHERE queue = q.name AND ${waiting}
        ORDER BY priority DESC, id LIMIT $3 FOR UPDATE SKIP LOCKED
      ) m
      WHERE NOT EXISTS (SELECT 1 FROM ${t.queues} WHERE name = q.name AND owner <> $1)
    ), ranked AS (
      SELECT *, row_number() OVER (PARTITION BY n, priority ORDER BY id) AS turn FROM candidates
    ), chosen AS MATERIALIZED (
      SELECT id, row_number() OVER (ORDER BY priority DESC, turn, n) AS place FROM ranked
      ORDER BY priority DESC, turn, n LIMIT $3
    ), me AS MATERIALIZED (
      SELECT id FROM ${t.sessions} WHERE id = $1 AND EXISTS (SELECT 1 FROM chosen) FOR KEY SHARE
    ), claimed AS (
      UPDATE ${t.messages} m SET owner = me.id FROM chosen, me WHERE m.id = chosen.id
      RETURNING m.id, m.queue, m.attempts, m.redelivered, m.text, chosen.place
    )
    SELECT s.*, c.* FROM (
      SELECT EXISTS (SELECT 1 FROM ${t.sessions} WHERE id = $1) AS alive,
        (SELECT count(*) FROM chosen) < $3 AND EXISTS (
          SELECT 1 FROM unnest($2::text[]) AS q (name) CROSS JOIN LATERAL (
            SELECT 1 FROM ${t.messages} WHERE queue = q.name AND ${waiting}
              AND id NOT IN (SELECT id FROM candidates) LIMIT 1
          ) m
        ) AS more
    ) s LEFT JOIN claimed c ON true ORDER BY c.place`,

  /** Session, ids. */
  remove: `DELETE FROM ${t.messages} WHERE owner = $1 AND id = ANY ($2::bigint[])`,
  restore: `UPDATE ${t.messages} SET owner = NULL, redelivered = true
    WHERE owner = $1 AND id = ANY ($2::bigint[]) RETURNING queue`,
  requeue: `UPDATE ${t.messages} m
    SET owner = NULL, redelivered = true, attempts = attempts + 1, id = n.place
    FROM (SELECT id, nextval('${t.places.replaceAll("'", "''")}') AS place
      FROM unnest($2::bigint[]) AS id) n
    WHERE m.id = n.id AND m.owner = $1 RETURNING m.queue`,
  /** Session, ids, hours in ms since 1970. */
  delay: `UPDATE ${t.messages} m SET owner = NULL, due_at = to_timestamp(d.due / 1000)
    FROM unnest($2::bigint[], $3::float8[]) AS d (id, due)
    WHERE m.id = d.id AND m.owner = $1 RETURNING m.queue`,
  /** Session, ids to keep. */
  restoreOthers: `UPDATE ${t.messages} SET owner = NULL, redelivered = true
    WHERE owner = $1 AND id <> ALL ($2::bigint[]) RETURNING queue`,

  count: `SELECT count(*) AS count FROM ${t.messages} WHERE queue = $1 AND ${waiting}`,
  purge: `DELETE FROM ${t.messages} WHERE queue = $1 AND owner IS NULL AND due_at IS NULL`,

  /** Name, client, lease in ms. */
  join: `INSERT INTO ${t.sessions} (name, client, lease_end)
    VALUES ($1, $2, now() + $3 * interval '1 ms') RETURNING id`,
  /** The link that this session listens on holds it: whoever sees it free knows that the link is gone. */
  hold: `SELECT pg_try_advisory_lock(${lockOf(t, '$1::bigint')})`,
  clock: 'SELECT extract(epoch FROM now()) * 1000 AS clock',
  lives: `SELECT 1 FROM ${t.sessions} WHERE id = $1`,
  /** Name of the one before, id of the one that goes on. */
  takeMessages: `UPDATE ${t.messages} SET owner = $2
    WHERE owner IN (SELECT id FROM ${t.sessions} WHERE name = $1 AND id <> $2)`,
  takeQueues: `UPDATE ${t.queues} SET owner = $2
    WHERE owner IN (SELECT id FROM ${t.sessions} WHERE name = $1 AND id <> $2)`,
  takeConsumers: `UPDATE ${t.consumers} SET session = $2
    WHERE session IN (SELECT id FROM ${t.sessions} WHERE name = $1 AND id <> $2)`,
  lockPrevious: `SELECT id FROM ${t.sessions} WHERE name = $1 FOR UPDATE`,
  takeName: `UPDATE ${t.sessions} SET name = $1
    WHERE id = $2 AND EXISTS (SELECT 1 FROM ${t.sessions} WHERE name = $1 AND id <> $2)`,
  endPrevious: `DELETE FROM ${t.sessions} WHERE name = $1 AND id <> $2 RETURNING id`,
  giveBack: `UPDATE ${t.messages} SET owner = NULL, redelivered = true WHERE owner = $1
    RETURNING queue`,
  leave: `DELETE FROM ${t.sessions} WHERE id = $1`,

  /**
   * Session, lease in ms, ms before the end of its lease at which a session whose link is gone counts as
   * dead, queues waited for. Nobody is declared dead by one who was away for a whole lease, nor soon after
   * the server was started: everybody's lease looks ended then, and the others first get the time to say
   * that they live. Hours that are over are no reason to look again at once: what can be done is done.
   */
  tick: `WITH renewed AS (
      UPDATE ${t.sessions} SET lease_end = now() + $2 * interval '1 ms' WHERE id = $1 RETURNING id
    ), others AS MATERIALIZED (
      SELECT s.id, s.lease_end - CASE WHEN l.pid IS NULL THEN $3 * interval '1 ms'
        ELSE interval '0' END AS until, l.pid IS NULL AS cut
      FROM ${t.sessions} s LEFT JOIN pg_locks l ON l.locktype = 'advisory' AND l.granted
        AND l.objsubid = 2 AND l.classid = ${regclass(t)}::oid
        AND l.objid = (s.id & 2147483647)::oid
        AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      WHERE s.id <> $1
    ), dead AS (
      DELETE FROM ${t.sessions} WHERE id IN (
        SELECT s.id FROM ${t.sessions} s JOIN others o ON o.id = s.id
        WHERE s.lease_end < now() + CASE WHEN o.cut THEN $3 * interval '1 ms' ELSE interval '0' END
          AND (SELECT lease_end >= now() FROM ${t.sessions} WHERE id = $1)
          AND pg_postmaster_start_time() < now() - $2 * interval '1 ms'
        FOR UPDATE OF s SKIP LOCKED
      ) RETURNING id
    ), gone AS MATERIALIZED (
      (SELECT DISTINCT owner FROM ${t.messages} WHERE owner IS NOT NULL
        EXCEPT SELECT id FROM ${t.sessions}) UNION ALL SELECT id FROM dead
    ), back AS (
      UPDATE ${t.messages} SET owner = NULL, redelivered = true, attempts = attempts + 1
      WHERE id IN (SELECT id FROM ${t.messages} WHERE owner IN (SELECT owner FROM gone)
        LIMIT ${sweepLimit} FOR UPDATE SKIP LOCKED) RETURNING queue
    ), due AS (
      UPDATE ${t.messages} SET due_at = NULL WHERE id IN (
        SELECT id FROM ${t.messages} WHERE due_at <= now() AND owner IS NULL AND ${unexpired}
        ORDER BY due_at LIMIT ${sweepLimit} FOR UPDATE SKIP LOCKED) RETURNING queue
    ), expired AS (
      DELETE FROM ${t.messages} WHERE id IN (
        SELECT m.id FROM ${t.messages} m WHERE m.expires_at <= now() AND m.owner IS NULL
          AND NOT EXISTS (SELECT 1 FROM ${t.queues} q WHERE q.name = m.queue AND q.dead_letters)
        LIMIT ${sweepLimit} FOR UPDATE OF m SKIP LOCKED) RETURNING id
    ), mourned AS MATERIALIZED (
      SELECT m.at FROM ${t.queues} q CROSS JOIN LATERAL (
        SELECT min(expires_at) AS at FROM ${t.messages}
        WHERE queue = q.name AND expires_at IS NOT NULL AND owner IS NULL) m
      WHERE q.dead_letters
    )
    SELECT EXISTS (SELECT 1 FROM renewed) AS alive,
      ARRAY (SELECT queue FROM back UNION ALL SELECT queue FROM due) AS restored,
      ARRAY (SELECT q.name FROM unnest($4::text[]) AS q (name)
        WHERE EXISTS (SELECT 1 FROM ${t.messages} WHERE queue = q.name AND ${waiting})) AS ready,
      EXISTS (SELECT 1 FROM mourned WHERE at <= now()) AS mourning,
      EXISTS (SELECT 1 FROM dead)
        OR EXISTS (SELECT 1 FROM ${t.queues} WHERE expires_at <= now())
        OR EXISTS (SELECT session FROM ${t.consumers} EXCEPT SELECT id FROM ${t.sessions})
        OR EXISTS (SELECT owner FROM ${t.queues} WHERE owner IS NOT NULL
          EXCEPT SELECT id FROM ${t.sessions}) AS untidy,
      greatest((SELECT count(*) FROM back), (SELECT count(*) FROM due),
        (SELECT count(*) FROM expired)) >= ${sweepLimit} AS unfinished,
      extract(epoch FROM least(
        (SELECT min(due_at) FROM ${t.messages} WHERE due_at > now()),
        (SELECT min(at) FROM mourned WHERE at > now()),
        (SELECT min(until) FROM others WHERE until > now()),
        (SELECT min(expires_at) FROM ${t.queues} WHERE expires_at > now())
      ) - now()) * 1000 AS next,
      extract(epoch FROM now()) * 1000 AS clock`,
  /** Session. */
  mourn: `UPDATE ${t.messages} SET owner = $1, due_at = NULL WHERE id IN (
      SELECT m.id FROM ${t.queues} q CROSS JOIN LATERAL (
        SELECT id FROM ${t.messages}
        WHERE queue = q.name AND expires_at <= now() AND owner IS NULL
        ORDER BY expires_at LIMIT ${buryLimit} FOR UPDATE SKIP LOCKED) m
      WHERE q.dead_letters LIMIT ${buryLimit}
    ) RETURNING id, queue, attempts, redelivered, text`,

  /** Name, durable, exclusive, auto-delete, arguments, owner, dead letters, ttl; session. */
  declareQueue: `INSERT INTO ${t.queues} AS q
      (name, durable, exclusive, auto_delete, arguments, owner, dead_letters, ttl_ms, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, now() + $8 * interval '1 ms')
    ON CONFLICT (name) DO UPDATE SET durable = excluded.durable, exclusive = excluded.exclusive,
      auto_delete = excluded.auto_delete, arguments = excluded.arguments, owner = excluded.owner,
      dead_letters = excluded.dead_letters, ttl_ms = excluded.ttl_ms,
      expires_at = CASE WHEN EXISTS (SELECT 1 FROM ${t.consumers} c WHERE c.queue = q.name)
        THEN NULL ELSE excluded.expires_at END
    WHERE q.owner IS NULL OR q.owner = $9
      OR NOT EXISTS (SELECT 1 FROM ${t.sessions} s WHERE s.id = q.owner)
    RETURNING name`,
  findQueue: `SELECT * FROM ${t.queues}
    WHERE name = $1 AND (expires_at IS NULL OR expires_at > now())`,
  hasQueue: `SELECT EXISTS (SELECT 1 FROM ${t.queues}
      WHERE name = $1 AND (expires_at IS NULL OR expires_at > now()))
    OR (EXISTS (SELECT 1 FROM ${t.messages} WHERE queue = $1 AND ${waiting})
      AND NOT EXISTS (SELECT 1 FROM ${t.queues} WHERE name = $1)) AS there`,
  ownerOf: `SELECT 1 FROM ${t.queues} q JOIN ${t.sessions} s ON s.id = q.owner
    WHERE q.name = $1 AND q.owner <> $2`,
  lapsed: `SELECT name FROM ${t.queues} WHERE name = $1 AND expires_at <= now()`,
  useQueue: `UPDATE ${t.queues} SET expires_at = now() + ttl_ms * interval '1 ms'
    WHERE name = ANY ($1::text[]) AND expires_at IS NOT NULL`,
  consume: `INSERT INTO ${t.consumers} (queue, session) VALUES ($1, $2) ON CONFLICT DO NOTHING`,
  keepQueue: `UPDATE ${t.queues} SET expires_at = NULL WHERE name = $1 AND expires_at IS NOT NULL`,
  /** Queue, session. */
  endConsuming: `DELETE FROM ${t.consumers} WHERE queue = $1 AND session = $2 RETURNING queue`,
  endAllConsuming: `DELETE FROM ${t.consumers} WHERE session = $1 RETURNING queue`,
  endDeadConsuming: `DELETE FROM ${t.consumers} c
    WHERE NOT EXISTS (SELECT 1 FROM ${t.sessions} s WHERE s.id = c.session) RETURNING queue`,
  /** Queues that lost a consumer. */
  idle: `UPDATE ${t.queues} q SET expires_at = now() + ttl_ms * interval '1 ms'
    WHERE name = ANY ($1::text[]) AND ttl_ms IS NOT NULL
      AND NOT EXISTS (SELECT 1 FROM ${t.consumers} c WHERE c.queue = q.name)`,
  /** Queues that lost a consumer: those to remove for it, and all others that nobody keeps. */
  unkept: `SELECT name FROM ${t.queues} q WHERE expires_at <= now()
    OR (auto_delete AND name = ANY ($1::text[])
      AND NOT EXISTS (SELECT 1 FROM ${t.consumers} c WHERE c.queue = q.name))
    OR (owner IS NOT NULL AND NOT EXISTS (SELECT 1 FROM ${t.sessions} s WHERE s.id = q.owner))`,
  /** Names. Answers how many messages each had that waited. */
  dropMessages: `WITH gone AS (
      DELETE FROM ${t.messages} WHERE queue = ANY ($1::text[]) RETURNING owner, due_at
    ) SELECT count(*) FILTER (WHERE owner IS NULL AND due_at IS NULL) AS count FROM gone`,
  dropQueues: `DELETE FROM ${t.queues} WHERE name = ANY ($1::text[])`,
  dropConsumers: `DELETE FROM ${t.consumers} WHERE queue = ANY ($1::text[])`,
  unbindQueues: `DELETE FROM ${t.bindings} WHERE queue = ANY ($1::text[]) RETURNING exchange`,

  declareExchange: `INSERT INTO ${t.exchanges} AS e (name, type, durable, auto_delete, arguments)
    VALUES ($1, $2, $3, $4, $5) ON CONFLICT (name) DO UPDATE SET type = excluded.type,
    durable = excluded.durable, auto_delete = excluded.auto_delete, arguments = excluded.arguments
    WHERE (e.type, e.durable, e.auto_delete, e.arguments)
      <> (excluded.type, excluded.durable, excluded.auto_delete, excluded.arguments)`,
  findExchange: `SELECT * FROM ${t.exchanges} WHERE name = $1`,
  removeExchange: `DELETE FROM ${t.exchanges} WHERE name = $1`,
  unbindExchanged: `DELETE FROM ${t.bindings} WHERE exchange = $1`,
  unbindOnwards: `DELETE FROM ${t.onwards} WHERE exchange = $1 OR target = $1 RETURNING exchange`,
  /** Names: those of them that go with their last binding, and have none. */
  unboundExchanges: `SELECT name FROM ${t.exchanges} e WHERE auto_delete AND name = ANY ($1::text[])
    AND NOT EXISTS (SELECT 1 FROM ${t.bindings} b WHERE b.exchange = e.name)
    AND NOT EXISTS (SELECT 1 FROM ${t.onwards} o WHERE o.exchange = e.name)`,
  bind: `INSERT INTO ${t.bindings} (key, exchange, queue, routing_key, arguments)
    VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
  unbind: `DELETE FROM ${t.bindings} WHERE key = $1 RETURNING exchange`,
  bindings: `SELECT queue, routing_key, arguments FROM ${t.bindings} WHERE exchange = $1
    ORDER BY queue, routing_key`,
  bindOnwards: `INSERT INTO ${t.onwards} (key, exchange, target, routing_key, arguments)
    VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`,
  unbindOnward: `DELETE FROM ${t.onwards} WHERE key = $1 RETURNING exchange`,
  onwards: `SELECT target, routing_key, arguments FROM ${t.onwards} WHERE exchange = $1
    ORDER BY target, routing_key`,
})

/** The sessions' table as a number that tells this broker from others in the database. */
function regclass(t: Tables): string {
  return `'${t.sessions.replaceAll("'", "''")}'::regclass`
}

function lockOf(t: Tables, id: string): string {
  return `${regclass(t)}::oid::int4, (${id} & 2147483647)::int4`
}
