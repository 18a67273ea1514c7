-- Keeps end users and anonymous callers out of tables without row-level security: whenever a table of schema public is
-- made or altered, its grants follow from its state. butterbase_service has every table. A table opened on purpose is
-- listed in butterbase.open_tables; one whose name begins with `_` is the platform's or the service's alone.

create table if not exists butterbase.open_tables (table_oid oid primary key);
revoke all on butterbase.open_tables from public;

create or replace function butterbase.settle_access(target oid) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
  relation record;
  name text;
begin
  select c.oid, c.relname, c.relkind, c.relrowsecurity, c.reloptions, c.relowner into relation
    from pg_catalog.pg_class c
    where c.oid = target and c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f');
  if not found or relation.relname = '_idempotency_keys' then return; end if;
  name := format('public.%I', relation.relname);
  if relation.relkind in ('v', 'm', 'f') then
    execute format('grant select, insert, update, delete on %s to butterbase_service', name);
    -- A view runs with its owner's rights, which pass row-level security, unless it says security_invoker.
    if relation.relkind = 'v' and left(relation.relname, 1) <> '_'
      and exists (select from unnest(relation.reloptions) option
        where option in ('security_invoker=true', 'security_invoker=on', 'security_invoker=1', 'security_invoker=yes'))
    then execute format('grant select, insert, update, delete on %s to butterbase_user, butterbase_anon', name);
    else execute format('revoke all on %s from butterbase_user, butterbase_anon', name);
    end if;
    return;
  end if;
  -- Row-level security closes what was open on purpose, and taking it away again does not open it.
  if relation.relrowsecurity then delete from butterbase.open_tables o where o.table_oid = target; end if;
  execute format('grant select, insert, update, delete, truncate, references, trigger on %s to butterbase_service', name);
  if left(relation.relname, 1) <> '_'
    and (relation.relrowsecurity or exists (select from butterbase.open_tables o where o.table_oid = target))
  then execute format('grant select, insert, update, delete on %s to butterbase_user, butterbase_anon', name);
  else execute format('revoke all on %s from butterbase_user, butterbase_anon', name);
  end if;
end $$;
revoke all on function butterbase.settle_access(oid) from public;

create or replace function butterbase.on_table_changed() returns event_trigger
  language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare target oid;
begin
  for target in
    select distinct objid from pg_event_trigger_ddl_commands() where classid = 'pg_catalog.pg_class'::regclass
  loop
    perform butterbase.settle_access(target);
  end loop;
end $$;
revoke all on function butterbase.on_table_changed() from public;

-- Opens a table without row-level security to end users and anonymous callers on purpose, or closes it again.
create or replace function butterbase.set_table_open(table_name text, open boolean) returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare target oid;
begin
  select c.oid into target from pg_catalog.pg_class c
    where c.relname = table_name and c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p');
  if not found then
    raise exception using errcode = '42P01', message = format('relation "%s" does not exist', table_name);
  end if;
  delete from butterbase.open_tables o
    where o.table_oid = target or not exists (select from pg_catalog.pg_class c where c.oid = o.table_oid);
  if open then insert into butterbase.open_tables values (target); end if;
  perform butterbase.settle_access(target);
end $$;
revoke all on function butterbase.set_table_open(text, boolean) from public;
grant execute on function butterbase.set_table_open(text, boolean) to butterbase_service;

drop event trigger if exists butterbase_table_changed;
create event trigger butterbase_table_changed on ddl_command_end
  when tag in ('CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO', 'ALTER TABLE', 'CREATE VIEW', 'ALTER VIEW',
    'CREATE MATERIALIZED VIEW', 'CREATE FOREIGN TABLE')
  execute function butterbase.on_table_changed();

alter default privileges in schema public
  grant usage, select on sequences to butterbase_user, butterbase_anon, butterbase_service;
alter default privileges for role butterbase_service in schema public
  grant usage, select on sequences to butterbase_user, butterbase_anon, butterbase_service;

select butterbase.settle_access(oid) from pg_catalog.pg_class
  where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm', 'f');
