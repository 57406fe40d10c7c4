import { describe, expect, it } from '@jest/globals'
import { parseUrl } from '../../src/connection/url.ts'
import { redisKeys } from '../../src/transports/redis/keys.ts'
import { slotOf } from '../../src/transports/redis/slots.ts'

const keysOf = (url: string, isSpread = false) =>
  redisKeys(parseUrl(url, ['redis', 'redis+cluster']), isSpread)

describe('the keys of Redis', () => {
  it('are those of Kombu', () => {
    const keys = keysOf('redis://h/2')
    expect(keys.lists('q')).toEqual(['q', 'q\x06\x163', 'q\x06\x166', 'q\x06\x169'])
    expect(keys.binding('ex')).toBe('_kombu.binding.ex')
    expect(keys.partition('any')).toMatchObject({
      unacked: 'unacked',
      unackedIndex: 'unacked_index',
      sessions: 'celeriac:unacked:sessions',
    })
    expect(keys.channel('ex', 'a.#')).toBe('/2.ex/a.#')
    expect(keys.pattern('ex', 'a.#')).toBe('/2.ex/a.*')
  })

  it('carry the prefix, also when it is made of digits', () => {
    const keys = keysOf('redis://h?global_keyprefix=12')
    expect(keys.list('q', 0)).toBe('12q')
    expect(keys.expiring).toBe('12celeriac:unacked:expiring')
  })

  it.each(['plain', 'a}b', '}b', '', '{x}y'])(
    'of one queue share a slot in a cluster: %j',
    (name) => {
      const keys = keysOf('redis+cluster://h', true)
      const { unreadable: _, ...at } = keys.partition(name)
      const all = [...keys.lists(name), ...Object.values(at), `${at.heldPrefix}session`]
      expect(new Set(all.map(slotOf)).size).toBe(1)
      expect(new Set(all).size).toBe(all.length)
    },
  )

  it('of bindings and of the ends of queues share a slot in a cluster', () => {
    const keys = keysOf('redis+cluster://h', true)
    const all = [keys.expiring, `${keys.ownedPrefix}q`, keys.binding('a'), keys.binding('b')]
    expect(new Set(all.map(slotOf)).size).toBe(1)
  })
})
