import { describe, expect, it } from '@jest/globals'
import { Decimal, LocalDate, Uuid } from '../../src/serializers/json-values.ts'
import { plainGlobals, type PickleGlobal } from '../../src/serializers/pickle/globals.ts'
import { makePickle, pickle } from '../../src/serializers/pickle/pickle.ts'
import { readPickle } from '../../src/serializers/pickle/reader.ts'
import { writePickledCall } from '../../src/serializers/pickle/writer.ts'
import { TimeDelta } from '../../src/serializers/time-delta.ts'

/** Numbers that look random and come back with their seed. */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

const sample = pickle.encode([
  [1, -70_000, 2 ** 40, 2n ** 70n, 1.5, 'text', new Uint8Array([1, 2]), null, true],
  { a: new Date(0), b: new LocalDate('2024-02-29'), c: new Decimal('1.5') },
  new Map([[1, new Set(['x'])]]),
  [new Uuid('12345678123456781234567812345678'), new TimeDelta(1, 2, 3)],
])

describe('bytes from anywhere', () => {
  const tryToRead = (bytes: Uint8Array): void => {
    try {
      pickle.decode(bytes)
    } catch (error) {
      expect(error).toBeInstanceOf(Error)
      // Not an accident within the reader.
      expect((error as Error).message).not.toMatch(/undefined|not iterable|Cannot|Maximum call/)
    }
  }

  it('are read or refused when they are noise', () => {
    const random = randomFrom(1)
    for (let round = 0; round < 5_000; round++) {
      const bytes = Uint8Array.from({ length: 1 + random() * 60 }, () => random() * 256)
      tryToRead(bytes)
    }
  })

  it('are read or refused when they are opcodes in any order', () => {
    const random = randomFrom(2)
    const codes = Buffer.from(
      '(.012KNR]}\\)abdeghjlpqrstu\x81\x85\x86\x87\x88\x89\x8f\x90\x91\x93\x94',
      'latin1',
    )
    for (let round = 0; round < 5_000; round++) {
      const bytes = Uint8Array.from(
        { length: 40 },
        () => codes[Math.floor(random() * codes.length)]!,
      )
      bytes[39] = 0x2e
      tryToRead(bytes)
    }
  })

  it('are read or refused when a pickle was damaged', () => {
    const random = randomFrom(3)
    for (let round = 0; round < 5_000; round++) {
      const bytes = Uint8Array.from(sample)
      for (let change = 0; change < 3; change++) {
        bytes[Math.floor(random() * bytes.length)] = random() * 256
      }
      tryToRead(bytes.subarray(0, random() < 0.2 ? random() * bytes.length : bytes.length))
    }
  })

  it('are refused wherever they are cut off', () => {
    for (let length = 0; length < sample.length; length++) {
      expect(() => pickle.decode(sample.subarray(0, length))).toThrow()
    }
  })
})

describe('a few bytes', () => {
  it('make no more collections than a value may have, and are refused before they do', () => {
    for (const opcode of '}])\x8f') {
      const bytes = Buffer.alloc(3_000_003, opcode, 'latin1')
      bytes[0] = 0x28
      bytes.write('l.', 3_000_001)
      expect(() => pickle.decode(bytes)).toThrow('more than 2000000 collections')
    }
  }, 20_000)
})

describe('names in a pickle', () => {
  const price = Buffer.from('\x80\x04\x8c\x04shop\x8c\x05Price\x93K\x07\x85R.', 'latin1')

  it('are refused by a typed error that says which', () => {
    expect(() => pickle.decode(price)).toThrow(
      expect.objectContaining({
        code: 'MESSAGING_GLOBAL_REFUSED',
        fault: 'message',
        message: expect.stringContaining('shop.Price'),
      }),
    )
  })

  it('can be allowed', () => {
    const { decode } = makePickle({ globals: { 'shop.Price': ([cents]) => ({ cents }) } })

    expect(decode(price)).toEqual({ cents: 7 })
  })

  it('hand over the state of an object as plain values', () => {
    const bytes = Buffer.from(
      '\x80\x04\x8c\x04shop\x8c\x05Price\x93)\x81}\x8c\x01a]K\x01asb.',
      'latin1',
    )
    const { decode } = makePickle({ globals: { 'shop.Price': (args, state) => [args, state] } })

    expect(decode(bytes)).toEqual([[], { a: [1] }])
  })

  it('say what failed within them', () => {
    const { decode } = makePickle({
      globals: {
        'shop.Price': () => {
          throw new Error('too cheap')
        },
      },
    })

    expect(() => decode(price)).toThrow('shop.Price: too cheap')
  })

  it('do not make attributes of what is allowed callable', () => {
    for (const name of ['datetime\ndatetime.now', 'builtins\ngetattr', 'builtins\n__proto__']) {
      expect(() => pickle.decode(Buffer.from(`c${name}\n)R.`))).toThrow(/is not among/)
    }
  })
})

describe('what is shared in a pickle', () => {
  it('stays shared', () => {
    const value = pickle.decode(Buffer.from(']\x94h\x00\x86.', 'latin1')) as unknown[]

    expect(value).toEqual([[], []])
    expect(value[0]).toBe(value[1])
  })

  it('is one value when an object with a state is named twice', () => {
    const uuid = Buffer.concat([
      Buffer.from('(cuuid\nUUID\n)\x81q\x00}X\x03\x00\x00\x00intK\x07sbh\x00l.', 'latin1'),
    ])

    const [one, other] = pickle.decode(uuid) as Uuid[]
    expect(one).toBeInstanceOf(Uuid)
    expect(other).toBe(one)
  })
})

describe('a call', () => {
  it('is written with its arguments, and read as what its name stands for', () => {
    const bytes = writePickledCall('shop', 'price', ['é', [1, null], { a: 2 }])
    const globals = new Map<string, PickleGlobal>([...plainGlobals, ['shop.price', (args) => args]])

    expect(readPickle(bytes, globals)).toEqual(['é', [1, null], { a: 2 }])
    expect(() => pickle.decode(bytes)).toThrow('shop.price')
  })

  it('takes a class as an argument only where that is said', () => {
    const bytes = Buffer.from('cshop\nprice\n(cuuid\nUUID\ntR.', 'latin1')
    const read = (takesClasses: boolean): unknown => {
      const price = Object.assign((args: readonly unknown[]) => args, { takesClasses })
      return readPickle(bytes, new Map([...plainGlobals, ['shop.price', price]]))
    }

    expect(read(true)).toEqual(['uuid.UUID'])
    expect(() => read(false)).toThrow('uuid.UUID is a class')
  })
})

describe('a length of time', () => {
  it.each<[[number, number?, number?], string]>([
    [[1, 7384, 5], '1 day, 2:03:04.000005'],
    [[0, -1], '-1 day, 23:59:59'],
    [[2, 0, 86_400_000_001], '3 days, 0:00:00.000001'],
    [[0], '0:00:00'],
  ])('%j reads %s', (parts, text) => {
    expect(String(new TimeDelta(...parts))).toBe(text)
  })

  it('is bounded as in Python', () => {
    expect(() => new TimeDelta(1_000_000_000)).toThrow(TypeError)
    expect(() => new TimeDelta(0.5)).toThrow(TypeError)
  })
})
