/** Announces the join of a chord where the store of results counts its parts. */
import type { CountingBackend } from '../backend/backend.ts'
import { groupTree, type Countdown } from '../canvas/index.ts'

export async function announce(
  backend: CountingBackend,
  { groupId, members }: Countdown,
): Promise<void> {
  // Celery joins from the members' own records when a header is not made of plain tasks.
  if (members.some(([, children]) => children !== null))
    await backend.storeGroup(groupId, groupTree(groupId, members))
  await backend.startCountdown(groupId, members)
}
