import { benchCompaction } from './compaction/index.ts'

await benchCompaction({ json: true })
process.exit(0)
