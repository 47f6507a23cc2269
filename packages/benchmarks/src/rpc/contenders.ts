import type { Contender } from './contender.ts'

/** Each is loaded in its own processes only. */
const LOADERS = {
  raw: async () => (await import('./raw.ts')).raw,
  'rts service': async () => (await import('./rts.ts')).rtsService,
  'rts entity': async () => (await import('./rts.ts')).rtsEntity,
  'rts notify': async () => (await import('./rts.ts')).rtsNotify,
  'rts ws': async () => (await import('./rts.ts')).rtsWs,
  'rts pending': async () => (await import('./rts-pending.ts')).rtsPending,
  'naive ws': async () => (await import('./naive-ws.ts')).naiveWs,
  moleculer: async () => (await import('./moleculer.ts')).moleculer,
  'grpc-js': async () => (await import('./grpc.ts')).grpc,
  "Cap'n Web": async () => (await import('./capn-web.ts')).capnWeb,
  NATS: async () => (await import('./nats.ts')).nats,
} as const satisfies Readonly<Record<string, () => Promise<Contender>>>

export type ContenderName = keyof typeof LOADERS

export const load = (name: ContenderName): Promise<Contender> => LOADERS[name]()
