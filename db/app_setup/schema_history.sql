-- Lets the app's own role see which tables are open, and keep the history of schema changes: it may add to it and change
-- nothing in it. The platform writes an entry in the transaction of the change itself.

grant select on butterbase.open_tables to butterbase_service;

create table if not exists butterbase.migrations (
  id bigint generated always as identity primary key,
  description text not null,
  applied_sql text not null,
  applied_at timestamptz not null default now()
);
revoke all on butterbase.migrations from public, butterbase_user, butterbase_anon, butterbase_service;
grant select, insert (description, applied_sql) on butterbase.migrations to butterbase_service;
