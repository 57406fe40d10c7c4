// The floor on PostgreSQL: one INSERT of 1,000 rows, claims of 100 by SKIP LOCKED, one DELETE for each batch.
import pg from 'pg'
import { floor } from './envelope.mjs'

const client = new pg.Client({ connectionString: process.env.BROKER_URL })
await client.connect()
await client.query(`DROP TABLE IF EXISTS floor; CREATE TABLE floor (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, queue text NOT NULL, owner int, text text NOT NULL);
  CREATE INDEX ON floor (queue, id) WHERE owner IS NULL`)
await floor({
  push: (texts) =>
    client.query({
      name: 'push',
      text: `INSERT INTO floor (queue, text) SELECT 'bench', text FROM unnest($1::text[]) AS text`,
      values: [texts],
    }),
  take: async (count) =>
    (
      await client.query({
        name: 'take',
        text: `UPDATE floor SET owner = 1 WHERE id IN (SELECT id FROM floor
          WHERE queue = 'bench' AND owner IS NULL ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED)
          RETURNING id, text`,
        values: [count],
      })
    ).rows,
  ack: (taken) =>
    client.query({
      name: 'ack',
      text: 'DELETE FROM floor WHERE id = ANY($1)',
      values: [taken.map(({ id }) => id)],
    }),
})
await client.end()
