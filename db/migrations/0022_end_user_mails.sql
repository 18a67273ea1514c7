-- Mails to end users: waiting for the SMTP server, or kept for the owner to read where there is none.

create table end_user_mails (
  id uuid primary key,
  app_id text not null references apps (id),
  user_id uuid not null references end_users (id) on delete cascade,
  kind text not null,
  recipient text not null,
  subject text not null,
  -- Gone once the mail is sent or given up: it holds a code.
  text_sealed text,
  -- held, queued, sent or failed
  status text not null,
  attempts integer not null default 0,
  error text,
  created_at timestamptz not null default clock_timestamp(),
  next_attempt_at timestamptz not null default now(),
  sent_at timestamptz
);
create index end_user_mails_of_app on end_user_mails (app_id, created_at desc);
create index end_user_mails_due on end_user_mails (next_attempt_at) where status = 'queued';
