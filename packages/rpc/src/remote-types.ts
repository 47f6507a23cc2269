/** What a link's other end has earned. */
export type CallerKind = 'server' | 'player' | 'admin'

type Method = (...args: never[]) => unknown
type MethodNames<T> = { [K in keyof T]-?: T[K] extends Method ? K : never }[keyof T] & string

/** Which methods of `T` may be called from another process, and by whom. What is not listed is closed. */
export type RpcTable<T> = { readonly [K in MethodNames<T>]?: CallerKind | readonly CallerKind[] }

type Scalar = null | undefined | boolean | number | bigint | string | Date | ArrayBufferView | void

declare const remoteBrand: unique symbol

/** Marks remotes, so that one passed as an argument is known to be sendable. */
export interface RemoteBrand {
  readonly [remoteBrand]?: true
}

// The depth count ends recursive types: what is deeper is checked at run time.
type Deeper = { 0: 1; 1: 2; 2: 3; 3: 4; 4: 5; 5: 5 }
type Depth = keyof Deeper

// `unknown` can only be checked at run time, by the handler that asked for it.
type IsSendable<A, D extends Depth = 0> = D extends 5
  ? true
  : unknown extends A
    ? true
    : A extends Scalar
      ? true
      : A extends RemoteBrand & { readonly [remoteBrand]?: infer _B }
        ? typeof remoteBrand extends keyof A
          ? true
          : IsPlain<A, D>
        : IsPlain<A, D>

type IsPlain<A, D extends Depth> = A extends Method | symbol
  ? false
  : A extends readonly (infer E)[]
    ? IsSendable<E, Deeper[D]>
    : A extends object
      ? false extends { [K in keyof A]-?: IsSendable<A[K], Deeper[D]> }[keyof A]
        ? false
        : true
      : false

// A stream is an argument of its own, not a part of one.
type IsArgument<A> =
  NonNullable<A> extends AsyncIterable<infer T>
    ? unknown extends A
      ? true
      : IsSendable<T>
    : IsSendable<A>

type SendableArgs<A extends readonly unknown[]> = false extends {
  [I in keyof A]-?: IsArgument<A[I]>
}[number]
  ? [error: 'an argument of this method cannot be sent']
  : A

// In brackets: a method that returns `A | B` gives one promise, not a union of two.
type Result<R> = [R] extends [AsyncIterable<infer T>] ? AsyncIterable<T> : Promise<Awaited<R>>

type Async<F> = F extends (...args: infer A) => infer R
  ? (...args: SendableArgs<A>) => Result<R>
  : never

/** A class whose tables describe a remote object. */
export type Ctor = abstract new (...a: never[]) => object

type Allowed<T, W extends CallerKind> = {
  [K in keyof T]: T[K] extends W
    ? K
    : T[K] extends readonly (infer U)[]
      ? W extends U
        ? K
        : never
      : never
}[keyof T]

/**
 * A remote object of class `C` as a caller of kind `W` sees it: the methods its `rpc` table opens to
 * that caller, each returning a promise, and its components as nested remotes.
 */
export type Remote<C extends Ctor, W extends CallerKind = 'server'> = RemoteBrand &
  (C extends { readonly rpc: infer T }
    ? { readonly [K in Allowed<T, W> & keyof InstanceType<C>]: Async<InstanceType<C>[K]> }
    : unknown) &
  (C extends { readonly components: infer M }
    ? {
        readonly [
          K in keyof M as M[K] extends { readonly rpc: unknown } ? K : never
        ]: M[K] extends Ctor ? Remote<M[K], W> : never
      }
    : unknown)

/** The same remote for one-way calls: every method returns whether the call was accepted for sending. */
export type Notify<R> = {
  readonly [K in keyof R as K extends string ? K : never]: R[K] extends (
    ...args: infer A
  ) => unknown
    ? (...args: A) => boolean
    : Notify<R[K]>
}
