// The floor on SQLite: a transaction for 1,000 rows, claims of 100 in one statement, one DELETE for each
// batch; WAL and synchronous NORMAL, as ours.
import { rmSync } from 'node:fs'
import { DatabaseSync } from '@photostructure/sqlite'
import { floor } from './envelope.mjs'

const path = new URL(process.env.BROKER_URL).pathname
for (const ending of ['', '-wal', '-shm']) rmSync(path + ending, { force: true })
const database = new DatabaseSync(path)
database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
  CREATE TABLE floor (id INTEGER PRIMARY KEY, queue TEXT NOT NULL, owner INTEGER, text TEXT NOT NULL);
  CREATE INDEX waiting ON floor (queue, id) WHERE owner IS NULL`)
const insert = database.prepare(`INSERT INTO floor (queue, text) VALUES ('bench', ?)`)
const claim = database.prepare(`UPDATE floor SET owner = 1 WHERE id IN (SELECT id FROM floor
  WHERE queue = 'bench' AND owner IS NULL ORDER BY id LIMIT ?) RETURNING id, text`)
const remove = database.prepare('DELETE FROM floor WHERE id IN (SELECT value FROM json_each(?))')
await floor({
  async push(texts) {
    database.exec('BEGIN IMMEDIATE')
    for (const text of texts) insert.run(text)
    database.exec('COMMIT')
  },
  take: async (count) => claim.all(count),
  ack: async (taken) => void remove.run(JSON.stringify(taken.map(({ id }) => id))),
})
database.close()
