// Every failure that a caller can act on has a code here, with the status it is answered with and a way out.
// Only routes/error_response.ts turns an AppError into a response.

interface ErrorKind {
  /** HTTP status the code is answered with. */
  readonly status: number;
  /** What the caller can do about it, when the thrower has nothing more exact to say. */
  readonly remediation: string;
  /** `Retry-After` in seconds, for failures that pass. */
  readonly retryAfter?: number;
}

const kinds = {
  AUTH_REQUIRED: {
    status: 401,
    remediation: "Send a credential in the Authorization header: `Authorization: Bearer <token>`.",
  },
  AUTH_INVALID_API_KEY: {
    status: 401,
    remediation: "Use a platform key that exists and is not revoked; GET /api-keys lists yours.",
  },
  AUTH_INVALID_TOKEN: {
    status: 401,
    remediation: "Sign in again, or refresh the token, and send the new one.",
  },
  AUTH_INVALID_CREDENTIALS: {
    status: 401,
    remediation:
      "Check the e-mail address and the password; POST forgot-password sends a code for a new one.",
  },
  AUTH_OAUTH_STATE_INVALID: {
    status: 400,
    remediation: "Begin the sign-in anew, and finish it in the same browser within ten minutes.",
  },
  AUTH_OAUTH_DENIED: { status: 400, remediation: "Begin the sign-in anew, and agree to it at the provider." },
  AUTH_OAUTH_FAILED: {
    status: 500,
    remediation:
      "Begin the sign-in anew; if it fails again, the app's owner corrects the provider's settings by what the message says.",
  },
  AUTH_END_USER_JWT_EXPIRED: { status: 401, remediation: "Refresh the token, and send the new one." },
  AUTH_INVALID_END_USER_JWT: {
    status: 401,
    remediation: "Sign in to this app again, and send the access token as it was given.",
  },
  AUTH_RLS_REQUIRES_USER_JWT: {
    status: 403,
    remediation: "Sign in, and send the access token as `Authorization: Bearer <token>`.",
  },
  AUTH_RLS_POLICY_VIOLATION: {
    status: 403,
    remediation:
      "Sign in as a user whom the table's policies allow it, or have the app's owner add a policy; a row that is written has to be readable too, unless `Prefer: return=minimal` is sent.",
  },
  AUTH_FORBIDDEN: { status: 403, remediation: "Use a credential that may do this." },
  AUTH_INSUFFICIENT_PERMISSIONS: {
    status: 403,
    remediation: "Use a platform key of the app's owner, or one whose scope includes this.",
  },
  AUTH_IMPERSONATION_FORBIDDEN: {
    status: 403,
    remediation:
      "Send X-Butterbase-As-User with a platform key that has access to this app, or leave it out.",
  },
  AUTH_IMPERSONATION_DISABLED: {
    status: 403,
    remediation:
      'Turn it on with PATCH /v1/{app}/functions/{name}/settings {"allow_service_key_impersonation": true}, or leave X-Butterbase-As-User out.',
  },
  INVALID_KEY_SCOPE: { status: 400, remediation: "Use key_scope `account` or `app`." },
  TARGET_APP_REQUIRED: { status: 400, remediation: "Name the app in target_app_id." },
  TARGET_APP_NOT_ALLOWED: { status: 400, remediation: "Leave target_app_id out, or use key_scope `app`." },
  RESERVED_SCOPE: { status: 400, remediation: "Use key_scope to choose between the account and one app." },
  UNKNOWN_SCOPE: { status: 400, remediation: "Use only the additional scope `ai:gateway`." },
  VALIDATION_INVALID_SCOPE: {
    status: 400,
    remediation: "Leave `scope` out: this server has one type of key.",
  },
  VALIDATION_WEAK_PASSWORD: {
    status: 400,
    remediation: "Choose a password that meets the rules in details.",
  },
  VALIDATION_CODE_INVALID: {
    status: 400,
    remediation:
      "Check the address and the code of the newest mail, or request a new one after a few mistakes.",
  },
  VALIDATION_CODE_USED: { status: 400, remediation: "Request a new code: each works once." },
  VALIDATION_CODE_EXPIRED: { status: 400, remediation: "Request a new code." },
  VALIDATION_INVALID_SCHEMA: { status: 400, remediation: "Correct the fields that the message names." },
  VALIDATION_INVALID_TYPE: { status: 400, remediation: "Correct the value that the message names." },
  VALIDATION_UNIQUE_CONSTRAINT_VIOLATION: {
    status: 400,
    remediation:
      "Use another value, change the row that has it, or upsert with `Prefer: resolution=merge-duplicates`.",
  },
  VALIDATION_FOREIGN_KEY_VIOLATION: {
    status: 400,
    remediation: "Refer to a row that exists; delete what refers to a row before the row itself.",
  },
  VALIDATION_CHECK_CONSTRAINT_VIOLATION: {
    status: 400,
    remediation: "Send values that the table's checks allow.",
  },
  VALIDATION_NOT_NULL_VIOLATION: { status: 400, remediation: "Give the column named in details a value." },
  VALIDATION_INVALID_INPUT: { status: 400, remediation: "Correct the value that the message names." },
  VALIDATION_TABLE_NOT_FOUND: {
    status: 400,
    remediation: "Use the name of a table of the app: GET /v1/{app}/schema lists them.",
  },
  VALIDATION_COLUMN_NOT_FOUND: {
    status: 400,
    remediation: "Use the name of a column of the table: GET /v1/{app}/schema lists them.",
  },
  VALIDATION_RESERVED_TABLE: {
    status: 400,
    remediation:
      "Use a table whose name does not begin with `_`: those are closed to all but the service role.",
  },
  REQUEST_ERROR: { status: 400, remediation: "Correct the request as the message says." },
  METHOD_NOT_ALLOWED: { status: 405, remediation: "Use one of the methods in the Allow header." },
  PAYLOAD_TOO_LARGE: { status: 413, remediation: "Send a smaller body." },
  RESOURCE_NOT_FOUND: {
    status: 404,
    remediation: "Check the id or name, and that your credential has access to it.",
  },
  RESOURCE_CONFLICT: { status: 409, remediation: "Read the present state, then try again." },
  APP_PROVISIONING: {
    status: 409,
    remediation: "Wait until GET /apps/{app}/status says `ready`, then try again.",
    retryAfter: 2,
  },
  APP_DELETING: { status: 410, remediation: "The app is being deleted; use another one." },
  APP_PAUSED: {
    status: 503,
    remediation: "Wait until the app's owner resumes it, then try again.",
    retryAfter: 60,
  },
  QUOTA_RATE_LIMIT: {
    status: 429,
    remediation: "Wait as long as Retry-After says, then try again.",
    retryAfter: 1,
  },
  QUOTA_LIMIT_EXCEEDED: {
    status: 429,
    remediation: "Use less of it, or have the operator raise the setting named.",
  },
  QUERY_TIMEOUT: {
    status: 504,
    remediation:
      "Ask for less, or have the app's owner add an index on the columns that are filtered or ordered by.",
  },
  FUNCTION_TIMEOUT: {
    status: 504,
    remediation: "Make the function answer sooner, or raise its timeoutMs (at most 300000).",
  },
  FUNCTION_MEMORY_LIMIT: {
    status: 503,
    remediation: "Use less memory, or raise the function's memoryLimitMb (at most 1024).",
    retryAfter: 1,
  },
  FUNCTION_CRASHED: {
    status: 502,
    remediation: "See the function's logs for what it did last, then try again.",
  },
  FUNCTION_EXITED: { status: 502, remediation: "Return a Response instead of ending the process." },
  FUNCTION_THREW: {
    status: 500,
    remediation: "The app's owner finds the error and its stack in the function's logs.",
  },
  FUNCTION_BAD_RESPONSE: { status: 500, remediation: "Return a Response object from the handler." },
  FUNCTION_OVERLOADED: {
    status: 503,
    remediation: "Try again after the time in Retry-After, or have the operator allow more hosts.",
    retryAfter: 1,
  },
  FUNCTION_BOOT_FAILED: {
    status: 500,
    remediation: "The app's owner finds the error in the function's logs; correct the code and deploy again.",
  },
  EGRESS_REFUSED: {
    status: 400,
    remediation:
      "Use a public address, or have the operator allow this one with BUTTERBASE_EGRESS_ALLOW (see docs/isolation.md).",
  },
  EGRESS_FAILED: {
    status: 502,
    remediation: "Check the address and that the other server answers, then try again.",
  },
  SCHEMA_DESTRUCTIVE_CHANGE: {
    status: 409,
    remediation:
      "Ask for what details lists by name (`_drop`, `_dropColumns`, `_changeTypes`; see docs/schema.md), or change the document to what is there.",
  },
  SCHEMA_MIGRATION_FAILED: {
    status: 400,
    remediation:
      "Correct what the message names. Nothing was changed: a schema is applied whole or not at all.",
  },
  SCHEMA_LOCKED: {
    status: 409,
    remediation: "Try again when what the message names has ended. Nothing was changed.",
    retryAfter: 2,
  },
  RLS_NOT_ENABLED: {
    status: 403,
    remediation:
      'Enable row-level security on the table and add a policy, use ctx.db.asService in the function, or set "rls": false on the table in the schema to open it on purpose.',
  },
  RLS_INVALID_EXPRESSION: {
    status: 400,
    remediation:
      "Correct the expression: SELECT and DELETE take using_expression, INSERT takes with_check_expression, UPDATE and ALL take both.",
  },
  RLS_TYPE_MISMATCH: {
    status: 400,
    remediation:
      "Cast one side: current_user_id() is text, so a uuid column needs `current_user_id()::uuid`.",
  },
  RLS_UNSAFE_EXPRESSION: {
    status: 400,
    remediation: "Leave the function out: a policy reads rows and current_user_id(), and changes nothing.",
  },
  EXTERNAL_DB_ERROR: {
    status: 500,
    remediation: "Try again; if it persists, the operator finds the cause in the log.",
  },
  INTERNAL_ERROR: {
    status: 500,
    remediation:
      "Try again; if it persists, give the operator the request_id: the cause is in the server's log.",
  },
  SERVER_DRAINING: {
    status: 503,
    remediation: "Try again: another node, or this one restarted, will answer.",
    retryAfter: 1,
  },
} as const satisfies Record<string, ErrorKind>;

/** Code of a failure, as it stands in `error.code` on the wire. */
export type ErrorCode = keyof typeof kinds;

export interface AppErrorOptions {
  /** What stopped it: an `Error` from a library or from PostgreSQL, for the server's log only. */
  cause?: unknown;
  /** Machine-readable facts about the failure; sent to the caller. */
  details?: unknown;
  /** Replaces the code's own remediation where a more exact one is known. */
  remediation?: string;
  /** Further response headers, such as `Allow`. */
  headers?: Record<string, string>;
  /** Replaces the code's own status, where the contract wants it. */
  status?: number;
}

/** A failure with a name: what was attempted, what is so instead, and what to do about it. */
export class AppError extends Error {
  override readonly name = "AppError";
  readonly code: ErrorCode;
  readonly status: number;
  readonly remediation: string;
  readonly details: unknown;
  readonly headers: Record<string, string>;

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    const kind: ErrorKind = kinds[code];
    this.code = code;
    this.status = options.status ?? kind.status;
    this.remediation = options.remediation ?? kind.remediation;
    this.details = options.details;
    this.headers = {
      ...(kind.retryAfter === undefined ? {} : { "retry-after": String(kind.retryAfter) }),
      ...options.headers,
    };
  }
}

/** Every code with its status and remediation, for the reference page and for tests. */
export const errorKinds: Readonly<Record<ErrorCode, ErrorKind>> = kinds;
