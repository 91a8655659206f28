import type { TSchema } from 'typebox';
import type { CodedError } from '../core/errors.ts';
import type { Result } from '../core/result.ts';
import type { StatusView } from '../model/status.ts';
import type { VerificationView } from '../model/verification.ts';
import type { MetricsRegistry } from './metrics.ts';
import type { ApiErrorCode } from './schemas.ts';

/** Reads and mends the kernel at once, and says what was found. */
export type Verify = () => Promise<Result<VerificationView, CodedError>>;

/** What a route may look at. */
export interface RouteContext {
  readonly status: () => StatusView;
  readonly metrics: MetricsRegistry;
  readonly version: string;
  readonly verify: Verify;
  readonly params: Readonly<Record<string, string>>;
}

export type Reply =
  | { readonly kind: 'json'; readonly code: number; readonly body: unknown }
  /** The read model, whose services are sent one by one. */
  | { readonly kind: 'status'; readonly status: StatusView }
  | { readonly kind: 'text'; readonly contentType: string; readonly text: string }
  | { readonly kind: 'error'; readonly code: number; readonly error: ApiErrorCode; readonly message: string };

export interface ReplyDescription {
  readonly description: string;
  /** Absent = text, of this type. */
  readonly schema?: TSchema;
  readonly contentType?: string;
}

/** One route: what it answers, for the server, for OpenAPI and for the reference page alike. */
export interface Route {
  /** With parameters in the form of fastify: '/v1/services/:name'. */
  readonly path: string;
  /** Absent = GET (and HEAD). */
  readonly method?: 'POST';
  readonly summary: string;
  /** It answers with counters of the kernel, which are read anew for it if they are not fresh. */
  readonly showsCounters?: boolean;
  /** By status code, errors that every route may give not counted. */
  readonly replies: Readonly<Record<string, ReplyDescription>>;
  answer(context: RouteContext): Reply | Promise<Reply>;
}
