import { describe, expect, it } from '@jest/globals'
import { gatherTargets, parseUrl, splitUrls } from '../../src/connection/url.ts'

const schemes = ['sentinel', 'redis', 'redis+socket']

function gathered(urls: string) {
  const targets = splitUrls(urls).map((url) =>
    parseUrl(url, schemes, {}, (scheme) => (scheme === 'sentinel' ? 26379 : 6379)),
  )
  return gatherTargets(targets, (scheme) => scheme === 'sentinel')
}

describe('URLs that name one system', () => {
  it('are one target when they follow one another', () => {
    const [target, ...others] = gathered('sentinel://a;sentinel://b:1/3;sentinel://:pw@c?x=1')

    expect(others).toEqual([])
    expect(target).toMatchObject({
      host: 'a',
      path: '3',
      password: 'pw',
      options: { x: 1 },
      hosts: [
        { host: 'a', port: 26379 },
        { host: 'b', port: 1 },
        { host: 'c', port: 26379 },
      ],
      masked: 'sentinel://a;sentinel://b:1/3;sentinel://:**@c?x=1',
    })
  })

  it('stay alternatives to others between them', () => {
    const targets = gathered('sentinel://a;redis://x;redis://y;sentinel://b')

    expect(targets.map(({ host, hosts }) => [host, hosts?.length])).toEqual([
      ['a', 1],
      ['x', undefined],
      ['y', undefined],
      ['b', 1],
    ])
  })
})

describe('the URL of a socket', () => {
  it.each([
    ['redis+socket:///run/redis.sock', undefined],
    ['redis+socket://:pw@/run/redis.sock', 'pw'],
    ['redis+socket://ann:pw@/run/redis.sock?virtual_host=2', 'pw'],
  ])('%s has a path and no host', (url, password) => {
    expect(parseUrl(url, schemes)).toMatchObject({ host: '', path: 'run/redis.sock', password })
  })
})
