import { browserSafe } from './browser-safe.ts'
import { coreGlobals } from './core-globals.ts'
import {
  errorCodesDocumented,
  invariantsChecked,
  markdownTitle,
  readmeBlocksRun,
} from './documents.ts'
import { fileLength, fileNames } from './files.ts'
import { layering } from './layering.ts'
import { escapes, machinePaths, unfinished } from './leftovers.ts'
import { lockComplete, pins, subpaths } from './manifest.ts'
import { orphans } from './orphans.ts'
import type { Rule } from './tree.ts'

/** Every rule about the repository itself. */
export const RULES: readonly Rule[] = [
  layering,
  browserSafe,
  coreGlobals,
  fileLength,
  fileNames,
  orphans,
  errorCodesDocumented,
  invariantsChecked,
  readmeBlocksRun,
  markdownTitle,
  subpaths,
  pins,
  lockComplete,
  unfinished,
  escapes,
  machinePaths,
]
