import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { type TarEntry, tarOf } from './tar.ts'

/** What an image is made of. */
export interface ImageParts {
  /** With a registry and a tag, such as `localhost/shell:1`. */
  readonly name: string
  readonly entries: readonly TarEntry[]
  /** `Entrypoint`, `Cmd`, `Env`, `User`, `WorkingDir`, as the OCI image format has them. */
  readonly config: Readonly<Record<string, unknown>>
}

/** An image as bytes. */
export interface Image {
  readonly name: string
  /** The digest of its manifest, as registries name it. */
  readonly digest: string
  /** The digest of its configuration: what runtimes call its id. */
  readonly id: string
  /** Manifest, configuration and layer, by digest. */
  readonly blobs: ReadonlyMap<string, Buffer>
  /** An OCI layout and a docker archive in one, which `ctr`, `podman` and `docker` import alike. */
  readonly archive: Buffer
}

const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json'
/** Where gzip says on which system it was written: the same for all. */
const GZIP_SYSTEM_AT = 9

/** Makes an image. The same parts give the same digests on every machine. */
export function imageOf({ name, entries, config }: ImageParts): Image {
  const blobs = new Map<string, Buffer>()
  const keep = (bytes: Buffer): string => {
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`
    blobs.set(digest, bytes)
    return digest
  }
  const layer = tarOf(entries)
  const packed = gzipSync(layer)
  packed.writeUInt8(255, GZIP_SYSTEM_AT)
  const layerDigest = keep(packed)
  const configuration = json({
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    created: '1970-01-01T00:00:00Z',
    config,
    rootfs: {
      type: 'layers',
      diff_ids: [`sha256:${createHash('sha256').update(layer).digest('hex')}`],
    },
    history: [{ created: '1970-01-01T00:00:00Z' }],
  })
  const id = keep(configuration)
  const manifest = json({
    schemaVersion: 2,
    mediaType: MANIFEST_TYPE,
    config: {
      mediaType: 'application/vnd.oci.image.config.v1+json',
      digest: id,
      size: configuration.length,
    },
    layers: [
      {
        mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
        digest: layerDigest,
        size: packed.length,
      },
    ],
  })
  const digest = keep(manifest)
  const named = {
    mediaType: MANIFEST_TYPE,
    digest,
    size: manifest.length,
    annotations: { 'io.containerd.image.name': name, 'org.opencontainers.image.ref.name': name },
  }
  const docker = [{ Config: pathOf(id), RepoTags: [name], Layers: [pathOf(layerDigest)] }]
  const archive = tarOf([
    file('oci-layout', json({ imageLayoutVersion: '1.0.0' })),
    file('index.json', json({ schemaVersion: 2, manifests: [named] })),
    file('manifest.json', json(docker)),
    { name: 'blobs/', type: 'directory' },
    { name: 'blobs/sha256/', type: 'directory' },
    ...[...blobs].map(([each, body]) => file(pathOf(each), body)),
  ])
  return { name, digest, id, blobs, archive }
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value))
}

function file(name: string, body: Buffer): TarEntry {
  return { name, body, mode: 0o644 }
}

function pathOf(digest: string): string {
  return `blobs/${digest.replace(':', '/')}`
}
