import { execFile } from 'node:child_process'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { EtcdProcess, freePort, scratchFolder, serviceBinary } from '@rts/testing'

/** The program that makes certificates. */
const OPENSSL = 'openssl'

/** Several members that are one cluster. */
export class EtcdMembers implements AsyncDisposable {
  readonly all: readonly EtcdProcess[]

  private constructor(all: readonly EtcdProcess[]) {
    this.all = all
  }

  static async start(count: number): Promise<EtcdMembers> {
    const ports = await Promise.all(Array.from({ length: count }, () => freePort()))
    const peers = ports.map((port) => `http://127.0.0.1:${port}`)
    const all = await Promise.all(
      peers.map((peer, i) =>
        // The last of two equal flags counts.
        EtcdProcess.start({
          args: [
            ...['--name', `member${i}`, '--initial-cluster-token', `members-${ports.join('-')}`],
            ...['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer],
            ...['--initial-cluster', peers.map((url, j) => `member${j}=${url}`).join()],
            ...['--heartbeat-interval', '50', '--election-timeout', '500'],
          ],
        }),
      ),
    )
    return new EtcdMembers(all)
  }

  get urls(): readonly string[] {
    return this.all.map((member) => member.url)
  }

  /** The one that leads now. */
  async leader(): Promise<EtcdProcess> {
    for (const member of this.all) {
      if (!member.isRunning) continue
      const response = await fetch(`${member.url}/v3/maintenance/status`, {
        method: 'POST',
        body: '{}',
      })
      const status = (await response.json()) as { header: { member_id: string }; leader: string }
      if (status.leader === status.header.member_id) return member
    }
    throw new Error('nobody leads')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.all.map((member) => member.stop()))
  }
}

/** Certificates made for one test: an authority, a server for 127.0.0.1 and a client. */
export interface Certificates {
  readonly rootCertificate: Buffer
  readonly privateKey: Buffer
  readonly certificateChain: Buffer
}

/** An etcd with a second address that takes only TLS with client certificates. */
export async function startTlsEtcd(): Promise<{
  readonly etcd: EtcdProcess
  readonly url: string
  readonly certificates: Certificates
  [Symbol.asyncDispose](): Promise<void>
}> {
  const scratch = await scratchFolder('etcd-tls-')
  const file = (name: string) => `${scratch.path}/${name}`
  // Not synchronous: other tests of the file measure meanwhile.
  const openssl = (...args: string[]) => promisify(execFile)(OPENSSL, args, { cwd: scratch.path })
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  await openssl(
    'req',
    '-x509',
    ...key,
    '-keyout',
    'ca.key',
    '-out',
    'ca.pem',
    '-days',
    '2',
    '-subj',
    '/CN=authority',
  )
  for (const name of ['server', 'client']) {
    await openssl(
      'req',
      ...key,
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.csr`,
      '-subj',
      `/CN=${name}`,
    )
    writeFileSync(
      file('san'),
      'subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n',
    )
    const authority = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial']
    await openssl(
      'x509',
      '-req',
      '-in',
      `${name}.csr`,
      ...authority,
      '-out',
      `${name}.pem`,
      '-days',
      '2',
      '-extfile',
      'san',
    )
  }
  const port = await freePort()
  const url = `https://127.0.0.1:${port}`
  // Its plain address, the fourth argument, stays for whoever waits until it serves.
  writeFileSync(
    file('etcd'),
    `#!/bin/sh\nexec '${serviceBinary('etcd')}' "$@" --listen-client-urls "$4,${url}" ` +
      `--cert-file '${file('server.pem')}' --key-file '${file('server.key')}' ` +
      `--trusted-ca-file '${file('ca.pem')}' --client-cert-auth\n`,
  )
  chmodSync(file('etcd'), 0o755)
  const etcd = await EtcdProcess.start({ binary: file('etcd') })
  return {
    etcd,
    url,
    certificates: {
      rootCertificate: readFileSync(file('ca.pem')),
      privateKey: readFileSync(file('client.key')),
      certificateChain: readFileSync(file('client.pem')),
    },
    async [Symbol.asyncDispose]() {
      await etcd.stop()
      await scratch[Symbol.asyncDispose]()
    },
  }
}
