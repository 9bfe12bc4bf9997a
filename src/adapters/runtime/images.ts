/** An image that a runtime holds. */
export interface ImageStatus {
  /** Its content, whatever it is called: the digest of its configuration. */
  readonly id: string
  /** Names with tags, as in `registry.example/app:1`. */
  readonly tags: readonly string[]
  /** Names with digests, as in `registry.example/app@sha256:...`. */
  readonly digests: readonly string[]
  /** What it takes on the disk, in bytes. */
  readonly sizeBytes: number
  /** The user of its configuration by number; undefined when it has none, or has it by name. */
  readonly uid?: number | undefined
  /** The user of its configuration by name. */
  readonly userName?: string | undefined
}

/** Who asks a registry for an image. */
export interface RegistryLogin {
  readonly username: string
  readonly password: string
}

/** What a runtime's images take. */
export interface ImageStoreUsage {
  /** A directory on the file system that holds them. */
  readonly directory: string
  readonly usedBytes: number
}

/** The part of a runtime that holds images. Names are full: with a registry and a tag or a digest. */
export interface RuntimeImages {
  /** The image of this name or id, when it is here. */
  image(reference: string): Promise<ImageStatus | undefined>
  /**
   * Gets the image from its registry, with the first of `logins` that the registry accepts, or
   * without one.
   *
   * @throws RuntimeError `PullFailed` with the registry's words, `Unavailable`.
   */
  pullImage(reference: string, logins: readonly RegistryLogin[]): Promise<ImageStatus>
  /** All images that are here. */
  images(): Promise<readonly ImageStatus[]>
  /** Removes an image with all its names. Succeeds when it is gone. */
  removeImage(id: string): Promise<void>
  /**
   * The ids of images that have to stay: those of all containers of the engine, whoever's they are and
   * whether they run or not, and those that the engine itself wants kept, as for sandboxes.
   */
  inUse(): Promise<ReadonlySet<string>>
  /** What all images take together. */
  usage(): Promise<ImageStoreUsage>
}
