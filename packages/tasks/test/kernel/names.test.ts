import { describe, expect, it } from '@jest/globals'
import {
  clientName,
  directQueueName,
  expandHost,
  expandNode,
  nodeName,
  splitNode,
} from '../../src/kernel/names.ts'

const host = 'box.example.com'

describe('node names', () => {
  it.each<[string | undefined, string]>([
    [undefined, 'celery@box.example.com'],
    ['', 'celery@box.example.com'],
    ['w1', 'celery@w1'],
    ['w1@', 'w1@box.example.com'],
    ['@other', 'celery@other'],
    ['w1@%h', 'w1@box.example.com'],
    ['w1.%n@%d', 'w1.box@example.com'],
    ['100%%@%h', '100%@box.example.com'],
    ['a@b@c', 'a@b@c'],
  ])('%s is %s', (given, name) => {
    expect(nodeName(given, host)).toBe(name)
  })

  it('splits at the first @', () => {
    expect([splitNode('a@b@c'), splitNode('b')]).toEqual([
      { name: 'a', host: 'b@c' },
      { name: undefined, host: 'b' },
    ])
  })

  it('names clients and direct queues', () => {
    expect(clientName(7, host)).toBe('gen7@box.example.com')
    expect(directQueueName('celery@a')).toBe('celery@a.dq2')
  })

  it.each<[string, number, string]>([
    ['/var/%n%I.log', 0, '/var/w1.log'],
    ['/var/%n%I.log', 3, '/var/w1-3.log'],
    ['%p.%i', 0, 'w1@box.example.com.0'],
    ['%p.%i', 2, 'w1@box.example.com.2'],
    ['%h|%d|%%n', 0, 'box.example.com|example.com|%n'],
  ])('%s in process %i is %s', (text, index, path) => {
    expect(expandNode(text, 'w1@box.example.com', index)).toBe(path)
  })

  it('knows hosts without a domain', () => {
    expect(expandHost('%n,%d', 'box')).toBe('box,')
  })

  it.each(['%x', '50%', '%i'])('refuses %s in a host', (text) => {
    expect(() => expandHost(text, host)).toThrow(/means nothing; known: %h %n %d %%/)
  })
})
