import { RpcError } from '../errors.ts'
import { isIP, type Server, type Socket } from 'node:net'
import {
  checkServerIdentity,
  connect,
  createSecureContext,
  createServer,
  TLSSocket,
  type PeerCertificate,
} from 'node:tls'

/** TLS below a TCP link. Certificates and keys are PEM. */
export interface TlsOptions {
  /** Who this end is. A listener needs it; who dials does for mutual TLS. */
  readonly cert?: string | Uint8Array
  readonly key?: string | Uint8Array
  /** Who signs the certificates of the other ends. @defaultValue the authorities Node trusts */
  readonly ca?: string | Uint8Array | readonly (string | Uint8Array)[]
  /**
   * Which certificates are those of servers of this cluster: names among their subject alternative names (`*.` matches one
   * label), or a function. Who shows one of these, signed by `ca`, is a `server`, with no cluster key; a listener asks
   * everybody for one, and takes who has none as a player. @defaultValue none: TLS encrypts, the cluster key proves
   */
  readonly servers?: readonly string[] | ((certificate: PeerCertificate) => boolean)
  /** The name the listener's certificate must have. @defaultValue the host of the URL */
  readonly servername?: string
}

/** How long a connection may take to shake hands below the link. */
const HANDSHAKE_TIMEOUT_MS = 5000
const MIN_VERSION = 'TLSv1.3'

/** Opens and accepts TLS connections, and says who has proven to be a server by them. */
export class TlsEndpoint {
  readonly #options: TlsOptions

  /** @throws TypeError for a certificate without its key; an `Error` of Node for PEM that is none. */
  constructor(options: TlsOptions) {
    const { cert, key, servers } = options
    if ((cert === undefined) !== (key === undefined)) {
      throw new TypeError('tls: cert and key go together')
    }
    if (servers !== undefined && cert === undefined) {
      throw new TypeError('tls: who asks others for a certificate of a server needs one, too')
    }
    this.#options = options
    createSecureContext(this.#context())
  }

  connect(address: { readonly host: string; readonly port: number }): Socket {
    const { servername, servers } = this.#options
    const name = servername ?? address.host
    const socket = connect({
      ...this.#context(),
      ...address,
      ...(isIP(name) === 0 && { servername: name }),
      minVersion: MIN_VERSION,
      // A server of the cluster may be anywhere: its name says who it is, not its address.
      checkServerIdentity: (_, certificate) =>
        servers !== undefined && isServer(servers, certificate)
          ? undefined
          : checkServerIdentity(name, certificate),
    })
    socket.setNoDelay(true)
    return socket
  }

  createServer(onSocket: (socket: Socket) => void): Server {
    const { cert, servers } = this.#options
    if (cert === undefined) {
      throw new RpcError('RPC_LISTEN_FAILED', 'a listener needs a certificate')
    }
    const server = createServer(
      {
        ...this.#context(),
        minVersion: MIN_VERSION,
        noDelay: true,
        requestCert: servers !== undefined,
        // Who has none, or another one, may still be a player.
        rejectUnauthorized: false,
        handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      },
      onSocket,
    )
    // What ends before it has begun concerns nobody.
    server.on('tlsClientError', () => {})
    return server
  }

  /** Whether the other end of a connection has shown a certificate of a server. */
  isServer(socket: Socket): boolean {
    const { servers } = this.#options
    if (servers === undefined || !(socket instanceof TLSSocket) || !socket.authorized) return false
    const certificate = socket.getPeerCertificate()
    return Object.keys(certificate).length > 0 && isServer(servers, certificate)
  }

  #context(): { cert?: Buffer; key?: Buffer; ca?: Buffer[] } {
    const { cert, key, ca } = this.#options
    const list = typeof ca === 'string' || ca instanceof Uint8Array ? [ca] : ca
    return {
      ...(cert !== undefined && { cert: pem(cert) }),
      ...(key !== undefined && { key: pem(key) }),
      ...(list !== undefined && { ca: list.map(pem) }),
    }
  }
}

const pem = (text: string | Uint8Array): Buffer => Buffer.from(text as string)

function isServer(
  servers: readonly string[] | ((certificate: PeerCertificate) => boolean),
  certificate: PeerCertificate,
): boolean {
  if (typeof servers === 'function') return servers(certificate)
  const names = (certificate.subjectaltname ?? '')
    .split(', ')
    .filter((name) => name.startsWith('DNS:'))
    .map((name) => name.slice(4).toLowerCase())
  return servers.some((wanted) => names.some((name) => matches(name, wanted.toLowerCase())))
}

function matches(name: string, wanted: string): boolean {
  if (!wanted.startsWith('*.')) return name === wanted
  const dot = name.indexOf('.')
  return dot > 0 && name.slice(dot) === wanted.slice(1) && !name.startsWith('*')
}
