-- One key of an app signs; former ones verify until every token that they signed has expired.

alter table app_signing_keys add column verifies_until timestamptz;

update app_signing_keys older set retired_at = now(), verifies_until = now() + interval '24 days'
where older.retired_at is null and exists (
  select 1 from app_signing_keys newer
  where newer.app_id = older.app_id and newer.retired_at is null
    and (newer.created_at, newer.id) > (older.created_at, older.id)
);
create unique index app_signing_keys_current on app_signing_keys (app_id) where retired_at is null;

-- New apps' access tokens live an hour, as documented.
alter table apps alter column access_token_ttl set default '1h';
