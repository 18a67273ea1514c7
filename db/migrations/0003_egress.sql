-- What an app's functions may reach, within what the operator permits: null allows all of that.

alter table apps
  add column egress_allow text[],
  add column egress_deny text[] not null default '{}';
