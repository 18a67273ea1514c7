-- People signed in to apps: accounts, the identities that providers vouch for, sessions with their refresh tokens, and
-- the codes that mails carry.

create table end_users (
  id uuid primary key,
  app_id text not null references apps (id),
  email text not null,
  -- What addresses are compared by.
  email_key text not null,
  email_verified boolean not null,
  password_hash text,
  -- How the account was made.
  provider text not null default 'email',
  display_name text,
  avatar_url text,
  blocked_at timestamptz,
  last_sign_in_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (app_id, email_key)
);
create index end_users_newest on end_users (app_id, created_at desc, id desc);

create table end_user_identities (
  app_id text not null references apps (id),
  provider text not null,
  provider_uid text not null,
  user_id uuid not null references end_users (id) on delete cascade,
  created_at timestamptz not null default now(),
  primary key (app_id, provider, provider_uid),
  unique (user_id, provider)
);

create table end_user_sessions (
  id uuid primary key,
  app_id text not null references apps (id),
  user_id uuid not null references end_users (id) on delete cascade,
  created_at timestamptz not null default now(),
  revoked_at timestamptz
);
create index end_user_sessions_of_user on end_user_sessions (user_id);

-- Each session is a chain of tokens; one that has a successor has been used.
create table end_user_refresh_tokens (
  token_hash bytea primary key,
  session_id uuid not null references end_user_sessions (id) on delete cascade,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  rotated_at timestamptz,
  successor_hash bytea
);
create index end_user_refresh_tokens_of_session on end_user_refresh_tokens (session_id);
create index end_user_refresh_tokens_expiry on end_user_refresh_tokens (expires_at);

-- One of each kind: a new code takes the place of the former.
create table end_user_codes (
  user_id uuid not null references end_users (id) on delete cascade,
  kind text not null,
  code_hash bytea not null,
  attempts integer not null default 0,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  used_at timestamptz,
  primary key (user_id, kind)
);
