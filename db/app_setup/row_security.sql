-- What policies rest on: the trigger that enters a new row in its user's name, and the look at a table through the eyes of
-- those whom its policies are for.

-- The login tells who asks, and no SQL changes it. The trigger's argument names the column.
create or replace function butterbase.set_user_id() returns trigger
  language plpgsql set search_path = pg_catalog, pg_temp
as $$
begin
  if session_user <> 'butterbase_user' then return new; end if;
  return jsonb_populate_record(new, jsonb_build_object(tg_argv[0], public.current_user_id()));
end $$;
revoke all on function butterbase.set_user_id() from public;
grant execute on function butterbase.set_user_id() to butterbase_service;

-- What keeps end users and anonymous callers from using a table at all: policies that read one another in a circle, or a
-- table that is closed. PostgreSQL says so only to a role that policies hold for, so each statement is planned by a
-- function that belongs to the role for that moment; one that stayed could be dropped by it.
create or replace function butterbase.table_faults(table_name text)
  returns table (role text, command text, code text, message text)
  language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
declare
  target text := format('public.%I', table_name);
  any_column text;
  statement text;
begin
  select quote_ident(a.attname) into any_column from pg_attribute a
    where a.attrelid = target::regclass and a.attnum > 0 and not a.attisdropped order by a.attnum limit 1;
  foreach role in array array['butterbase_user', 'butterbase_anon'] loop
    create function pg_temp.butterbase_plan(statement text, out code text, out message text)
      language plpgsql security definer set search_path = pg_catalog, pg_temp
    as $plan$
    begin
      execute 'explain ' || statement;
    exception when others then
      code := sqlstate;
      message := sqlerrm;
    end $plan$;
    execute format('alter function pg_temp.butterbase_plan(text) owner to %I', role);
    for command, statement in values
      ('select', format('select from %s', target)),
      ('insert', format('insert into %s default values', target)),
      ('update', format('update %s set %s = default', target, any_column)),
      ('delete', format('delete from %s', target))
    loop
      continue when command = 'update' and any_column is null;
      execute 'select * from pg_temp.butterbase_plan($1)' into code, message using statement;
      if code is not null then return next; end if;
    end loop;
    drop function pg_temp.butterbase_plan(text);
  end loop;
end $$;
revoke all on function butterbase.table_faults(text) from public;
grant execute on function butterbase.table_faults(text) to butterbase_service;
