-- What every app database holds besides the app's own tables. Run by the server's owner, in one transaction, as often as
-- one likes: each statement leaves an existing thing as it should be.

-- An app may have made functions and operators in public that fit a call better than PostgreSQL's own; none of them may
-- run with the owner's rights.
set local search_path = pg_catalog, pg_temp;

-- Roles are shared by the whole cluster and databases are listed in shared catalogs, so without these revocations the SQL
-- of one app could read what another's is running, end it, or learn which apps exist.
do $$
declare routine regprocedure;
begin
  for routine in
    select oid from pg_catalog.pg_proc
    where pronamespace = 'pg_catalog'::regnamespace
      and (proname like 'pg\_stat\_get\_backend%' or proname like 'pg\_stat\_get\_db%' or proname in (
        'pg_stat_get_activity', 'pg_stat_get_progress_info', 'pg_stat_get_wal_senders', 'pg_lock_status',
        'pg_blocking_pids', 'pg_safe_snapshot_blocking_pids', 'pg_cancel_backend', 'pg_terminate_backend',
        'pg_prepared_xact', 'pg_database_size', 'lo_creat', 'lo_create', 'lo_from_bytea'))
  loop
    execute format('revoke all on function %s from public', routine);
  end loop;
end $$;
revoke all on pg_catalog.pg_database, pg_catalog.pg_stat_database, pg_catalog.pg_stat_database_conflicts,
  pg_catalog.pg_shdescription, pg_catalog.pg_shseclabel from public;

revoke all on schema public from public;
grant usage on schema public to butterbase_user, butterbase_anon, butterbase_service;
grant create on schema public to butterbase_service;

create schema if not exists butterbase;
revoke all on schema butterbase from public;
grant usage on schema butterbase to butterbase_service;

create or replace function public.current_user_id() returns text
  language sql stable parallel safe
  return nullif(pg_catalog.current_setting('request.jwt.claim.sub', true), '');

create table if not exists public._idempotency_keys (
  scope text not null default 'default',
  key text not null,
  processed_at timestamptz not null default now(),
  expires_at timestamptz,
  primary key (scope, key)
);
create index if not exists _idempotency_keys_expires_at on public._idempotency_keys (expires_at)
  where expires_at is not null;
revoke all on public._idempotency_keys from butterbase_user, butterbase_anon, butterbase_service;
grant select, insert, delete on public._idempotency_keys to butterbase_service;
