-- The control database belongs to the server alone: no other login finds anything here, even if it could connect.
revoke all on schema public from public;
