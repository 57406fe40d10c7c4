export { MemoryBackend as SqliteBackend } from './memory.ts'
