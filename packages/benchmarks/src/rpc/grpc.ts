import {
  credentials,
  makeGenericClientConstructor,
  Server,
  ServerCredentials,
  type Client,
  type sendUnaryData,
  type ServerUnaryCall,
  type ServiceDefinition,
} from '@grpc/grpc-js'
import type { Contender } from './contender.ts'

const bytes = (text: string): Buffer => Buffer.from(text)
const text = (buffer: Buffer): string => buffer.toString()

const definition: ServiceDefinition = {
  echo: {
    path: '/bench.Echo/echo',
    requestStream: false,
    responseStream: false,
    requestSerialize: bytes,
    requestDeserialize: text,
    responseSerialize: bytes,
    responseDeserialize: text,
  },
}
const EchoService = makeGenericClientConstructor(definition, 'Echo')
type Echo = Client & {
  echo(text: string, done: (error: Error | null, result: string) => void): void
}

/** Unary calls with bodies that cost next to nothing: no Protobuf, no deadline. */
export const grpc: Contender = {
  async serve() {
    const server = new Server()
    server.addService(definition, {
      echo: (call: ServerUnaryCall<string, string>, done: sendUnaryData<string>) =>
        done(null, call.request),
    })
    return new Promise((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) =>
        error === null ? resolve(`127.0.0.1:${port}`) : reject(error),
      )
    })
  },
  async connect(address) {
    const client = new EchoService(address, credentials.createInsecure()) as unknown as Echo
    return {
      echo: (request) =>
        new Promise((resolve, reject) => {
          client.echo(request, (error, result) =>
            error === null ? resolve(result) : reject(error),
          )
        }),
    }
  },
}
