-- How often something was tried, shared by all nodes. A crash may empty it: it holds minutes, and writing it must cost
-- less than what it guards.

create unlogged table rate_windows (
  key text primary key,
  count integer not null,
  resets_at timestamptz not null
);
create index rate_windows_expiry on rate_windows (resets_at);
