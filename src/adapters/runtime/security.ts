/** A system call filter: the runtime's own, none, or one from a file on this machine. */
export type SeccompProfile =
  | { readonly type: 'RuntimeDefault' }
  | { readonly type: 'Unconfined' }
  | { readonly type: 'Localhost'; readonly path: string }

/**
 * Whom a container runs as and what it may do: the security contexts of a pod and of a container, as
 * they are for this container. What is absent is as the image and the runtime have it.
 */
export interface ContainerSecurity {
  readonly uid?: number | undefined
  /** The name of that user in the image, where only that is known. */
  readonly userName?: string | undefined
  readonly gid?: number | undefined
  /** Groups beside `gid`. */
  readonly groups?: readonly number[] | undefined
  /** Everything that the machine's root may do. */
  readonly privileged?: boolean | undefined
  /** Its root file system cannot be written. */
  readonly readOnlyRoot?: boolean | undefined
  /** No process in it gains rights by executing a file. */
  readonly noNewPrivileges?: boolean | undefined
  /** Capabilities to add to the runtime's default, without `CAP_`; `ALL` for all. */
  readonly addCapabilities?: readonly string[] | undefined
  /** Capabilities to take away, without `CAP_`; `ALL` for all. */
  readonly dropCapabilities?: readonly string[] | undefined
  readonly seccomp?: SeccompProfile | undefined
  /** `Unmasked` shows all of /proc. Default: as the runtime has it. */
  readonly procMount?: 'Default' | 'Unmasked' | undefined
}

/** One thing that a {@link ContainerSecurity} may ask for. */
export type SecurityField = keyof ContainerSecurity
