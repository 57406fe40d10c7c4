/** The links of a session to a Redis Cluster: scripts and commands go where their key lies. */
import type { ConnectOptions } from '../../transport/transport.ts'
import { ClusterLinks, type OpenMember } from './cluster-links.ts'
import { RedisLink } from './link.ts'
import type { CallScript } from './scripts.ts'
import type { Wire } from './wire.ts'

export { isBusy } from './cluster-links.ts'

export class ClusterWire extends ClusterLinks<RedisLink> implements Wire {
  /** `name`: unique name of the session. Rejects with the last server's error when none answers. */
  static async open(options: ConnectOptions, name: string): Promise<ClusterWire> {
    const open: OpenMember<RedisLink> = (place, part) =>
      RedisLink.open(place, { name: `${name}@${part}`, preload: true })
    return await ClusterLinks.openFirst(
      options,
      open,
      (home) => new ClusterWire(options, open, home),
    )
  }

  script(...call: Parameters<CallScript>): Promise<unknown> {
    return this.at(call[1][0]!, (link) => link.script(...call))
  }

  send(command: string, key: string, ...args: (string | number)[]): Promise<unknown> {
    return this.at(key, (link) => link.send(command, key, ...args))
  }

  /** The same links, for what had better come again than wait: `isBusy` tells such an error. */
  readonly impatient: Wire = {
    script: (...call) => this.at(call[1][0]!, (link) => link.script(...call), 0),
    send: (command, key, ...args) => this.at(key, (link) => link.send(command, key, ...args), 0),
    hold: () => this.hold(),
  }

  /** Everyone who waits at a server looks again, since the queue may be elsewhere. */
  wake(): void {
    for (const link of this.links) link.watcher.wake()
  }

  protected override onMap(): void {
    this.wake()
  }
}
