import { TestingError } from '../errors.ts'
import { runInDocker } from './docker.ts'
import { findBinary } from './find-binary.ts'
import { obtainBinary, type Missing, type ObtainOptions } from './obtain-binary.ts'
import {
  serviceDescriptions,
  type ServiceDescription,
  type ServiceName,
} from './service-descriptions.ts'
import { ServiceProcess } from './service-process.ts'

const CHECK_TIMEOUT_MS = 5_000

export interface ProvideOptions extends ObtainOptions {
  /** Whether docker may be used. @defaultValue true */
  readonly docker?: boolean
}

/** A service that tests can use. */
export interface FoundService extends AsyncDisposable {
  /** Its URL; the path, for a program such as Chromium. */
  readonly url: string
  /** What it is and where it came from, for people. */
  readonly how: string
  /** Ends it if it was started for this; a service that was there before stays. */
  stop(): Promise<void>
}

export type ServiceOutcome =
  | { readonly name: ServiceName; readonly url: string; readonly how: string }
  | { readonly name: ServiceName; readonly missing: string }

export interface ProvidedServices extends AsyncDisposable {
  /** One for each name that was asked for, in that order. */
  readonly services: readonly ServiceOutcome[]
  /** The URLs of those that were found, as the variables tests read: `{ ETCD_URL: ... }`. */
  readonly env: Record<string, string>
  /** Ends what was started. Safe to call twice. */
  stop(): Promise<void>
}

/**
 * Finds each service or starts it: a URL in the environment, a program that is there, on Debian as
 * root a package, docker. What cannot be had is no error but an outcome that says why.
 */
export async function provideServices(
  names: readonly ServiceName[],
  options: ProvideOptions = {},
): Promise<ProvidedServices> {
  const found = await Promise.all(
    names.map(async (name) => ({ name, outcome: await provide(describe(name), options) })),
  )
  const env: Record<string, string> = {}
  for (const { name, outcome } of found)
    if ('url' in outcome) env[serviceDescriptions[name].urlVariable] = outcome.url
  const stop = async (): Promise<void> => {
    await Promise.all(found.map(({ outcome }) => ('url' in outcome ? outcome.stop() : undefined)))
  }
  const services = found.map(({ name, outcome }): ServiceOutcome =>
    'url' in outcome
      ? { name, url: outcome.url, how: outcome.how }
      : { name, missing: outcome.missing },
  )
  return { services, env, stop, [Symbol.asyncDispose]: stop }
}

/**
 * A vitest `globalSetup`: provides the services once for all workers, which then find the URLs in
 * their environment. Says in one line each what was found (to stdout, or to `onProgress`).
 */
export function servicesSetup(
  names: readonly ServiceName[],
  options: ProvideOptions = {},
): () => Promise<() => Promise<void>> {
  const say = options.onProgress ?? ((line: string) => void process.stdout.write(`${line}\n`))
  return async () => {
    const provided = await provideServices(names, { ...options, onProgress: say })
    for (const service of provided.services) say(describeOutcome(service))
    Object.assign(process.env, provided.env)
    return async () => {
      for (const variable of Object.keys(provided.env)) delete process.env[variable]
      await provided.stop()
    }
  }
}

/** Finds or starts an etcd; undefined when there is none to be had. */
export async function findEtcd(options: ProvideOptions = {}): Promise<FoundService | undefined> {
  const outcome = await provide(serviceDescriptions.etcd, options)
  return 'url' in outcome ? outcome : undefined
}

/** The path of a Chromium to start; undefined when there is none to be had. */
export async function findChromium(
  options: ObtainOptions = {},
): Promise<{ readonly path: string; readonly how: string } | undefined> {
  const outcome = await obtainBinary(serviceDescriptions.chromium, options)
  return 'path' in outcome ? { path: outcome.path, how: outcome.how } : undefined
}

/** The URL (or path) of a service that was provided to this process, or undefined. */
export function serviceUrl(
  name: ServiceName,
  env: NodeJS.ProcessEnv = process.env,
): string | undefined {
  return env[describe(name).urlVariable] || undefined
}

/** The URL of a service that was provided. @throws TestingError `TESTING_SERVICE_MISSING` */
export function requireService(name: ServiceName, env: NodeJS.ProcessEnv = process.env): string {
  const url = serviceUrl(name, env)
  if (url !== undefined) return url
  const { urlVariable } = describe(name)
  throw new TestingError(
    'TESTING_SERVICE_MISSING',
    `this needs ${name} and ${urlVariable} is not set: provide it, or skip with describe.skipIf(!serviceUrl('${name}'))`,
  )
}

/** The path of a service's program, for tests that start one of their own; installs nothing. */
export function serviceBinary(
  name: ServiceName,
  env: NodeJS.ProcessEnv = process.env,
): string | undefined {
  return findBinary(describe(name), env)?.path
}

function describe(name: ServiceName): ServiceDescription {
  if (Object.hasOwn(serviceDescriptions, name)) return serviceDescriptions[name]
  const known = Object.keys(serviceDescriptions).join(', ')
  throw new TestingError('TESTING_SERVICE_UNKNOWN', `no service "${name}", only ${known}`)
}

function describeOutcome(outcome: ServiceOutcome): string {
  if ('url' in outcome) return `${outcome.name}: ${outcome.how}`
  return `${outcome.name}: missing (${outcome.missing}); tests that need it are skipped`
}

async function provide(
  description: ServiceDescription,
  options: ProvideOptions,
): Promise<FoundService | Missing> {
  const { name, server, urlVariable } = description
  const env = options.env ?? process.env
  const given = env[urlVariable]
  if (server !== undefined && given) return checkGiven(description, given)
  const binary = await obtainBinary(description, options)
  if (server === undefined)
    return 'path' in binary ? asFound(binary.path, binary.how, async () => {}) : binary
  let missing: string
  if ('path' in binary) {
    try {
      const started = await ServiceProcess.start(name, { binary: binary.path, env: binary.env })
      return asFound(started.url, `${name} ${started.version}, ${binary.how}`, () => started.stop())
    } catch (error) {
      missing = (error as Error).message
    }
  } else missing = binary.missing
  if (options.docker === false) return { missing }
  const container = await runInDocker(description, options)
  if ('missing' in container) return { missing: `${missing}; ${container.missing}` }
  return asFound(container.url, `${name} ${container.version}, docker ${container.image}`, () =>
    container.stop(),
  )
}

/** A URL somebody gave is meant: when nothing answers there, that is told and nothing else is tried. */
async function checkGiven(
  { name, server, urlVariable }: ServiceDescription,
  url: string,
): Promise<FoundService | Missing> {
  try {
    const version = await server!.version(url, AbortSignal.timeout(CHECK_TIMEOUT_MS))
    return asFound(url, `${name} ${version}, ${urlVariable}`, async () => {})
  } catch (error) {
    const { message, cause } = error as Error
    const why = cause instanceof Error ? `${message}: ${cause.message}` : message
    return { missing: `${urlVariable} is set, but no ${name} answers there (${why})` }
  }
}

function asFound(url: string, how: string, end: () => Promise<void>): FoundService {
  let ending: Promise<void> | undefined
  const stop = (): Promise<void> => (ending ??= end())
  return { url, how, stop, [Symbol.asyncDispose]: stop }
}
