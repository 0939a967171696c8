-- What every database of Bourse needs before its first migration. Run in that database, as bourse_owner; safe to run again.
-- The run-time role may read and write new tables unless a migration takes that back; engine and signer get nothing by default.
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO bourse_app, bourse_engine, bourse_signer;
ALTER DEFAULT PRIVILEGES FOR ROLE bourse_owner IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO bourse_app;
ALTER DEFAULT PRIVILEGES FOR ROLE bourse_owner IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO bourse_app;
