-- Accounts, keys, apps, functions with their versions and triggers, and the invocation log.

create table platform_settings (
  name text primary key,
  value text not null
);

create table accounts (
  id uuid primary key,
  email text not null unique,
  name text not null,
  operator boolean not null default false,
  disabled_at timestamptz,
  created_at timestamptz not null default now()
);

create table platform_keys (
  id uuid primary key,
  account_id uuid not null references accounts (id),
  name text not null,
  key_hash text not null unique,
  key_prefix text not null,
  scopes text[] not null,
  last_used_at timestamptz,
  expires_at timestamptz,
  revoked_at timestamptz,
  created_at timestamptz not null default now()
);
create index platform_keys_of_account on platform_keys (account_id, created_at desc);

create table apps (
  id text primary key,
  owner_id uuid not null references accounts (id),
  name text not null,
  subdomain text not null,
  db_name text not null unique,
  region text not null,
  provisioning_status text not null default 'provisioning',
  provisioning_error text,
  visibility text not null default 'private',
  listed boolean not null default true,
  allowed_origins text[] not null default '{http://localhost:3000}',
  storage_config jsonb not null
    default '{"maxFileSizeMb": 10, "publicReadEnabled": false, "allowedContentTypes": ["*/*"]}',
  access_token_ttl text not null default '15m',
  refresh_token_ttl_days integer not null default 7,
  auth_hook_function text,
  access_mode text not null default 'public',
  paused_at timestamptz,
  paused_reason text,
  anon_key text not null,
  env_sealed text,
  env_updated_at timestamptz,
  -- Grows with every change that a running function must see.
  revision bigint not null default 1,
  deleted_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);
create unique index apps_name_of_owner on apps (owner_id, region, name) where deleted_at is null;
create unique index apps_subdomain on apps (subdomain) where deleted_at is null;

create table app_signing_keys (
  id text primary key,
  app_id text not null references apps (id),
  public_jwk jsonb not null,
  private_sealed text not null,
  created_at timestamptz not null default now(),
  retired_at timestamptz
);
create index app_signing_keys_of_app on app_signing_keys (app_id, created_at desc);

create table functions (
  id uuid primary key,
  app_id text not null references apps (id),
  name text not null,
  description text,
  version_id uuid not null,
  timeout_ms integer not null,
  agent_tool boolean not null,
  agent_tool_description text,
  agent_tool_mode text not null,
  agent_tool_exposed_to text not null,
  allow_service_key_impersonation boolean not null,
  env_sealed text,
  revision bigint not null default 1,
  invocation_count bigint not null default 0,
  error_count bigint not null default 0,
  total_duration_ms bigint not null default 0,
  last_invoked_at timestamptz,
  last_status integer,
  deployed_at timestamptz not null,
  deleted_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (app_id, name)
);

create table function_versions (
  id uuid primary key,
  function_id uuid not null references functions (id) deferrable initially deferred,
  app_id text not null references apps (id),
  number integer not null,
  source text not null,
  bundle text not null,
  source_map text not null,
  content_hash text not null,
  memory_limit_mb integer not null,
  -- Revision of the function's env at the deploy; the values themselves live on the function.
  env_revision bigint not null,
  npm_packages text[] not null default '{}',
  deployed_by uuid not null,
  created_at timestamptz not null default now(),
  unique (function_id, number)
);
alter table functions
  add constraint functions_version foreign key (version_id) references function_versions (id)
  deferrable initially deferred;

create table function_triggers (
  id uuid primary key,
  function_id uuid not null references functions (id),
  app_id text not null references apps (id),
  trigger_type text not null,
  trigger_config jsonb not null,
  enabled boolean not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (function_id, trigger_type)
);
create index function_triggers_of_type on function_triggers (trigger_type, app_id) where enabled;

create table function_invocations (
  id uuid not null,
  app_id text not null,
  function_id uuid not null,
  version_id uuid not null,
  trigger_type text not null,
  method text not null,
  path text not null,
  status text not null,
  status_code integer,
  duration_ms integer not null,
  cpu_ms real not null,
  memory_used_mb real not null,
  request_bytes bigint not null,
  response_bytes bigint not null,
  error_message text,
  error_stack text,
  console_logs jsonb not null,
  user_id text,
  caller_type text not null,
  source_event_id text,
  attempt_count integer not null default 1,
  while_paused boolean not null default false,
  started_at timestamptz not null,
  completed_at timestamptz not null,
  -- One index for both: no row twice, and a function's newest first.
  unique (function_id, started_at, id)
) partition by range (started_at);
