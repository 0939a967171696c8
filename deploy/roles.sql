-- The four database roles of Bourse. Run once per PostgreSQL cluster, as a superuser; safe to run again.
-- Passwords are set apart (ALTER ROLE … PASSWORD), so that this file holds none.
--   bourse_owner   owns every table, migrates, makes and drops test databases; no process of the exchange runs as it
--   bourse_app     web and workers: cannot change or delete what is append-only
--   bourse_engine  the matching engine: exactly the tables it writes
--   bourse_signer  the signer: reads jobs, writes signatures, nothing else
DO $roles$
DECLARE wanted text;
BEGIN
  FOREACH wanted IN ARRAY ARRAY['bourse_owner', 'bourse_app', 'bourse_engine', 'bourse_signer'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
      EXECUTE format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEROLE NOINHERIT', wanted);
    END IF;
  END LOOP;
END
$roles$;
ALTER ROLE bourse_owner CREATEDB;
-- It ends the sessions that are left in a test database before it drops it.
GRANT pg_signal_backend TO bourse_owner WITH INHERIT TRUE;
