export interface Entry {
  /** The file under dist/, without extension. */
  readonly name: string
  /** The source file that it is built from. */
  readonly source: string
}

export interface Manifest {
  readonly exports: Readonly<Record<string, unknown>>
  readonly bin?: Readonly<Record<string, string>>
}

/** Every entry of the build that a manifest asks for. */
export declare function entriesOf(manifest: Manifest): Entry[]

/** The entries of this package, split by whether their source is there. */
export declare function readEntries(): { readonly present: Entry[]; readonly missing: Entry[] }
