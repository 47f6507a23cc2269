import { isLoopback } from './address.ts'
import { CLOSE } from './close-codes.ts'
import type { ClusterAuth } from './cluster-auth.ts'
import { RpcError } from './errors.ts'
import {
  decodeChallenge,
  decodeHello,
  decodeProof,
  decodeWelcome,
  encodeChallenge,
  encodeHello,
  encodeProof,
  encodeWelcome,
  NONCE_BYTES,
  transcript,
  type Hello,
  type Identity,
} from './handshake-frames.ts'
import { HANDSHAKE_BYTES, messageBytesFor } from './limits.ts'
import type { Link } from './link.ts'
import type { PeerFacts } from './peer.ts'
import type { Random } from './random.ts'
import type { CallerKind } from './remote-types.ts'
import { PROTOCOL_VERSION } from './wire.ts'

/** What a node brings to every handshake. */
export interface HandshakeSelf extends Identity {
  readonly cluster: ClusterAuth | undefined
  /** What admins prove themselves with. A node that holds this key alone dials as an admin. */
  readonly admin: ClusterAuth | undefined
  readonly trustLoopback: boolean
  readonly random: Random
}

export interface HandshakeEnd {
  /** Runs at once, so that the next message already finds its peer. */
  done(facts: PeerFacts): void
  failed(error: RpcError): void
}

const EMPTY = new Uint8Array(0)

/** The part both ends share: one frame at a time, until somebody is known or the link closes. */
abstract class Handshake {
  protected readonly self: HandshakeSelf
  protected readonly link: Link
  readonly #end: HandshakeEnd
  #isOver = false

  constructor(self: HandshakeSelf, link: Link, end: HandshakeEnd) {
    this.self = self
    this.link = link
    this.#end = end
    link.maxMessageBytes = HANDSHAKE_BYTES
    link.onMessage = (message) => {
      if (!this.#isOver) this.onFrame(message)
    }
    link.onClose = (code, reason) => this.#over(closedBy(this.link.remote, code, reason))
  }

  protected abstract onFrame(frame: Uint8Array): void

  /** Closes the link with the reason and ends. */
  fail(closeCode: number, error: RpcError): void {
    if (this.#isOver) return
    this.#over(error)
    this.link.close(closeCode, error.message)
  }

  protected malformed(what: string): void {
    const text = `${this.link.remote} sent a malformed ${what}`
    this.fail(CLOSE.protocol, new RpcError('RPC_PROTOCOL', text))
  }

  protected succeed(facts: PeerFacts): void {
    this.#isOver = true
    this.link.maxMessageBytes = facts.maxReceiveBytes
    this.#end.done(facts)
  }

  #over(error: RpcError): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#end.failed(error)
  }
}

/** The end that dialled: says who it is, proves it when asked, and wants the same from the other. */
export class DialerHandshake extends Handshake {
  readonly #url: string
  readonly #hello: Hello
  readonly #helloFrame: Uint8Array
  readonly #maxReceiveBytes: number
  readonly #key: ClusterAuth | undefined
  #challengeFrame: Uint8Array | undefined

  constructor(
    self: HandshakeSelf,
    link: Link,
    url: string,
    maxReceiveBytes: number,
    end: HandshakeEnd,
  ) {
    super(self, link, end)
    this.#url = url
    this.#maxReceiveBytes = maxReceiveBytes
    const { id, role, epoch, cluster, admin, trustLoopback, random } = self
    this.#key = cluster ?? admin
    const claimsAdmin = cluster === undefined && admin !== undefined
    this.#hello = {
      id,
      role,
      epoch,
      minVersion: PROTOCOL_VERSION,
      maxVersion: PROTOCOL_VERSION,
      claimsServer:
        !claimsAdmin &&
        (cluster !== undefined ||
          link.isProvenServer === true ||
          (trustLoopback && isLoopback(url))),
      claimsAdmin,
      canProve: this.#key !== undefined,
      maxMessageBytes: maxReceiveBytes,
      nonce: random(NONCE_BYTES),
    }
    this.#helloFrame = encodeHello(this.#hello)
    link.send(this.#helloFrame)
  }

  protected override onFrame(frame: Uint8Array): void {
    const key = this.#key
    if (this.#challengeFrame === undefined && key !== undefined) {
      const challenge = decodeChallenge(frame)
      if (challenge !== undefined) {
        this.#challengeFrame = frame.slice()
        const asked = transcript('dialer', this.#helloFrame, this.#challengeFrame)
        this.link.send(encodeProof(key.prove(asked)))
        return
      }
    }
    this.#onWelcome(frame)
  }

  #onWelcome(frame: Uint8Array): void {
    const welcome = decodeWelcome(frame)
    if (welcome === undefined) {
      this.malformed('welcome')
      return
    }
    if (welcome.version !== PROTOCOL_VERSION) {
      const text = `${this.#url} answered in protocol version ${welcome.version}`
      this.fail(CLOSE.version, new RpcError('RPC_VERSION', text))
      return
    }
    if (this.#hello.claimsServer && !this.#isServer(welcome.granted, welcome.proof)) {
      const text = `${this.#url} did not prove that it is a server of this cluster`
      this.fail(CLOSE.unauthorized, new RpcError('RPC_UNAUTHORIZED', text))
      return
    }
    if (this.#hello.claimsAdmin && !this.#takesAdmin(welcome.granted, welcome.proof)) {
      const text = `${this.#url} did not prove that it knows the key of its admins`
      this.fail(CLOSE.unauthorized, new RpcError('RPC_UNAUTHORIZED', text))
      return
    }
    this.succeed({
      nodeId: welcome.id,
      role: welcome.role,
      // An admin's own end is open to nobody else.
      caller: this.#hello.claimsServer ? 'server' : 'player',
      url: this.#url,
      isDialled: true,
      maxReceiveBytes: this.#maxReceiveBytes,
      maxSendBytes: welcome.maxMessageBytes,
    })
  }

  #takesAdmin(granted: CallerKind, proof: Uint8Array): boolean {
    return granted === 'admin' && this.#proves(this.self.admin, proof) === true
  }

  /** Undefined when nothing was asked or shown. */
  #proves(key: ClusterAuth | undefined, proof: Uint8Array): boolean | undefined {
    if (key === undefined || this.#challengeFrame === undefined || proof.length === 0)
      return undefined
    return key.check(transcript('listener', this.#helloFrame, this.#challengeFrame), proof)
  }

  #isServer(granted: CallerKind, proof: Uint8Array): boolean {
    if (granted !== 'server') return false
    const { cluster, trustLoopback } = this.self
    const proven = this.#proves(cluster, proof)
    if (proven !== undefined) return proven
    return this.link.isProvenServer === true || (trustLoopback && isLoopback(this.#url))
  }
}

/** The end that was dialled: learns who is there, and asks for proof of what is claimed. */
export class ListenerHandshake extends Handshake {
  readonly #ceiling: 'server' | 'player'
  readonly #maxReceiveBytes: number | undefined
  #hello: { readonly said: Hello; readonly frame: Uint8Array } | undefined
  #challengeFrame: Uint8Array = EMPTY

  constructor(
    self: HandshakeSelf,
    link: Link,
    ceiling: 'server' | 'player',
    maxReceiveBytes: number | undefined,
    end: HandshakeEnd,
  ) {
    super(self, link, end)
    this.#ceiling = ceiling
    this.#maxReceiveBytes = maxReceiveBytes
  }

  protected override onFrame(frame: Uint8Array): void {
    if (this.#hello === undefined) this.#onHello(frame)
    else this.#onProof(this.#hello, frame)
  }

  #onHello(frame: Uint8Array): void {
    const said = decodeHello(frame)
    if (said === undefined) {
      this.malformed('hello')
      return
    }
    if (said.minVersion > PROTOCOL_VERSION || said.maxVersion < PROTOCOL_VERSION) {
      const range = `${said.minVersion} to ${said.maxVersion}`
      const text = `${this.link.remote} speaks protocol versions ${range}, here it is ${PROTOCOL_VERSION}`
      this.fail(CLOSE.version, new RpcError('RPC_VERSION', text))
      return
    }
    if (!said.claimsServer && !said.claimsAdmin) {
      this.#welcome(said, 'player', EMPTY)
      return
    }
    const { trustLoopback, id, role, epoch, random } = this.self
    if (this.#ceiling === 'player') {
      this.#unauthorized(said, 'this listener takes players alone')
    } else if (said.canProve && this.#keyFor(said) !== undefined) {
      const nonce = random(NONCE_BYTES)
      this.#hello = { said, frame: frame.slice() }
      this.#challengeFrame = encodeChallenge({ version: PROTOCOL_VERSION, id, role, epoch, nonce })
      this.link.send(this.#challengeFrame)
    } else if (!said.claimsServer) {
      this.#unauthorized(said, 'there is no admin key here, or it shows none')
    } else if (
      this.link.isProvenServer === true ||
      (trustLoopback && isLoopback(this.link.remote))
    ) {
      this.#welcome(said, 'server', EMPTY)
    } else {
      this.#unauthorized(said, 'it shows no cluster key, nor a certificate of a server')
    }
  }

  #keyFor({ claimsServer }: Hello): ClusterAuth | undefined {
    return claimsServer ? this.self.cluster : this.self.admin
  }

  #onProof(hello: { readonly said: Hello; readonly frame: Uint8Array }, frame: Uint8Array): void {
    const key = this.#keyFor(hello.said)
    const proof = decodeProof(frame)
    if (proof === undefined || key === undefined) {
      this.malformed('proof')
      return
    }
    const challenge = this.#challengeFrame
    if (!key.check(transcript('dialer', hello.frame, challenge), proof)) {
      this.#unauthorized(hello.said, 'its proof is wrong')
      return
    }
    this.#welcome(
      hello.said,
      hello.said.claimsServer ? 'server' : 'admin',
      key.prove(transcript('listener', hello.frame, challenge)),
    )
  }

  #unauthorized(said: Hello, why: string): void {
    const claim = said.claimsServer ? 'a server' : 'an admin'
    const text = `${said.id} at ${this.link.remote} claims to be ${claim}: ${why}`
    this.fail(CLOSE.unauthorized, new RpcError('RPC_UNAUTHORIZED', text))
  }

  /** What the listener was given counts for those it is meant for; a player among servers gets no more than players do. */
  #limitFor(granted: CallerKind): number {
    const usual = messageBytesFor(granted)
    const given = this.#maxReceiveBytes ?? usual
    return granted === this.#ceiling ? given : Math.min(given, usual)
  }

  #welcome(said: Hello, granted: CallerKind, proof: Uint8Array): void {
    const maxReceiveBytes = this.#limitFor(granted)
    const { id, role, epoch } = this.self
    const version = PROTOCOL_VERSION
    this.link.send(
      encodeWelcome({ version, granted, maxMessageBytes: maxReceiveBytes, id, role, epoch, proof }),
    )
    this.succeed({
      nodeId: said.id,
      role: said.role,
      caller: granted,
      url: this.link.remote,
      isDialled: false,
      maxReceiveBytes,
      maxSendBytes: said.maxMessageBytes,
    })
  }
}

function closedBy(remote: string, code: number, reason: string): RpcError {
  const text = `${remote} closed the link during the handshake: ${reason || code}`
  if (code === CLOSE.unauthorized) return new RpcError('RPC_UNAUTHORIZED', text)
  if (code === CLOSE.version) return new RpcError('RPC_VERSION', text)
  if (code === CLOSE.protocol) return new RpcError('RPC_PROTOCOL', text)
  return new RpcError('RPC_CONNECT_FAILED', text)
}
