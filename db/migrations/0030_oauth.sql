-- Sign-in by other providers: what an app's owner says of each, and the sign-ins that are under way.

create table app_oauth_providers (
  id uuid primary key,
  app_id text not null references apps (id),
  provider text not null,
  client_id text not null,
  -- The client's secret and the provider's private key.
  secrets_sealed text not null,
  redirect_uris text[] not null,
  -- Null, here and in the URLs: as the platform knows the provider.
  scopes text[],
  authorization_url text,
  token_url text,
  userinfo_url text,
  metadata jsonb not null,
  enabled boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  unique (app_id, provider)
);

-- A crash may empty it: whoever was on the way signs in anew.
create unlogged table oauth_sign_ins (
  state_hash bytea primary key,
  app_id text not null,
  provider text not null,
  redirect_uri text not null,
  redirect_to text,
  expires_at timestamptz not null
);
create index oauth_sign_ins_expiry on oauth_sign_ins (expires_at);
