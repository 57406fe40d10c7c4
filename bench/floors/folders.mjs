// The floor on folders: each message written, synced and renamed into place, claimed by a rename, read and
// removed; as many at once as the thread pool of Node takes.
import { randomUUID } from 'node:crypto'
import { mkdir, open, readdir, readFile, rename, rm, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { floor } from './envelope.mjs'

const folder = new URL(process.env.BROKER_URL).pathname
const [data, held] = [join(folder, 'floor'), join(folder, 'floor-held')]
await rm(folder, { recursive: true, force: true })
await mkdir(data, { recursive: true })
await mkdir(held)
let waiting = []
let written = 0
await floor({
  async push(texts) {
    const names = texts.map(() => `${String(++written).padStart(9, '0')}_${randomUUID()}.bench.msg`)
    await Promise.all(
      texts.map(async (text, i) => {
        const temporary = join(held, `${names[i]}.tmp`)
        const file = await open(temporary, 'w')
        await file.writeFile(text)
        await file.sync()
        await file.close()
        await rename(temporary, join(data, names[i]))
      }),
    )
    const directory = await open(data)
    await directory.sync()
    await directory.close()
  },
  async take(count) {
    if (waiting.length === 0) waiting = (await readdir(data)).toSorted()
    return await Promise.all(
      waiting.splice(0, count).map(async (name) => {
        await rename(join(data, name), join(held, name))
        return { name, text: await readFile(join(held, name), 'utf8') }
      }),
    )
  },
  ack: (taken) => Promise.all(taken.map(({ name }) => unlink(join(held, name)))),
})
await rm(folder, { recursive: true, force: true })
