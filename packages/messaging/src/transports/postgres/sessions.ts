/** How a session begins: as a new one, or as the one before it whose link broke. */
import type { PostgresLink } from '../../clients/postgres.ts'
import type { StoreContext } from '../../virtual/store.ts'
import type { Statements } from './statements.ts'

/** A new session; resolves with its id. */
export async function joinSession(
  link: PostgresLink,
  sql: Statements,
  { session }: StoreContext,
  client: string,
  leaseMs: number,
): Promise<string> {
  const { rows } = await link.run(sql.join, [session, client, leaseMs])
  const id = String(rows[0]!['id'])
  await link.run(sql.hold, [id])
  return id
}

/** Goes on with the session before, when nobody gave it up; resolves with the name it is known by. */
export async function resumeSession(
  link: PostgresLink,
  sql: Statements,
  session: string,
  context: StoreContext,
): Promise<string> {
  const { resumes } = context
  if (resumes === undefined) return context.session
  const answers = await link.transact([
    // Waits for claims the old link still has under way at the server: they count.
    [sql.lockPrevious, [resumes]],
    [sql.takeMessages, [resumes, session]],
    [sql.takeQueues, [resumes, session]],
    [sql.takeConsumers, [resumes, session]],
    [sql.takeName, [resumes, session]],
    [sql.endPrevious, [resumes, session]],
  ])
  return answers.at(-1)!.count > 0 ? resumes : context.session
}
