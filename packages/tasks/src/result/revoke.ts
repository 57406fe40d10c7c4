/** Telling workers to give up tasks: Celery's commands, over the mailbox of its remote control. */

export interface RevokeOptions {
  /** Also stop it when it is running already; default false. */
  readonly terminate?: boolean | undefined
  /** How a running one is stopped, where a process runs it; default SIGTERM. */
  readonly signal?: string | undefined
  /** Wait for what the workers answer; default false: resolve when the broker has the command. */
  readonly wait?: boolean | undefined
  /** Seconds to wait for answers; default 1. */
  readonly timeout?: number | undefined
  /** Names of the workers it is meant for; default all. */
  readonly destination?: readonly string[] | undefined
}

/** What a worker answered. */
export interface ControlReply {
  readonly node: string
  readonly value: unknown
}

export interface RemoteControl {
  cast(method: string, args: Arguments, options: { destination?: readonly string[] }): Promise<void>
  call(
    method: string,
    args: Arguments,
    options: { destination?: readonly string[]; timeout?: number },
  ): Promise<readonly ControlReply[]>
}

type Arguments = Readonly<Record<string, unknown>>

/** Answers of the workers, when they are waited for. */
export async function revokeTasks(
  remote: RemoteControl,
  ids: string | readonly string[],
  options: RevokeOptions = {},
): Promise<readonly ControlReply[]> {
  return await command(remote, 'revoke', { task_id: ids }, options)
}

/** Revokes all tasks that carry stamps of these values. */
export async function revokeStamped(
  remote: RemoteControl,
  headers: Readonly<Record<string, string | readonly string[]>>,
  options: RevokeOptions = {},
): Promise<readonly ControlReply[]> {
  const replies = await command(remote, 'revoke_by_stamped_headers', { headers }, options)
  // Each worker knows only its own: what one of them found, all are told.
  const found = new Set<string>()
  for (const { value } of replies) {
    const ids = (value as { ok?: unknown } | null)?.ok
    if (Array.isArray(ids)) for (const id of ids) if (typeof id === 'string') found.add(id)
  }
  if (found.size === 0) return replies
  return await revokeTasks(remote, [...found], options)
}

async function command(
  remote: RemoteControl,
  method: string,
  args: Arguments,
  { terminate = false, signal = 'SIGTERM', wait = false, timeout = 1, destination }: RevokeOptions,
): Promise<readonly ControlReply[]> {
  const told = { ...args, terminate, signal }
  const nodes = destination ? { destination } : {}
  if (wait) return await remote.call(method, told, { ...nodes, timeout })
  await remote.cast(method, told, nodes)
  return []
}
