# ruff: noqa: S608 - the only values put into this SQL are the constants of this folder
"""Who may do what to the book. A new table is the run-time role's by default, so everything is taken away first.

What must never happen here: INSERT on a journal table or UPDATE of a balance for a run-time role, or a word for bourse_signer.
"""

TABLES = (
    "ledger_account, ledger_transfer, ledger_entry, ledger_transfer_key, ledger_batch, ledger_writer, ledger_hold, "
    "ledger_freeze, ledger_stop, ledger_checkpoint, ledger_watermark, ledger_retention"
)

SQL = f"""
DO $$
DECLARE part text;
BEGIN
  FOR part IN SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
    WHERE schemaname = 'public' AND tablename LIKE 'ledger\\_%' LOOP
    EXECUTE 'REVOKE ALL ON ' || part || ' FROM PUBLIC, bourse_app, bourse_engine, bourse_signer';
  END LOOP;
END $$;
REVOKE ALL ON SEQUENCE ledger_transfer_id_seq, ledger_batch_id_seq, ledger_writer_id_seq
  FROM PUBLIC, bourse_app, bourse_engine, bourse_signer;

-- A row lock needs the right to update some column: `frozen` gives it to the one role, `held` to the other. Both move through
-- services and through ledger_post; `balance` is nobody's.
GRANT SELECT ON {TABLES} TO bourse_app;
GRANT INSERT (kind, asset_id, owner_id, label, frozen, created_at), UPDATE (frozen) ON ledger_account TO bourse_app;
GRANT INSERT, UPDATE (state, transfer_uuid, resolved_at) ON ledger_hold TO bourse_app;
GRANT INSERT, UPDATE (lifted_at, lifted_by, lifted_reason) ON ledger_freeze, ledger_stop TO bourse_app;
GRANT INSERT, UPDATE ON ledger_checkpoint, ledger_watermark TO bourse_app;

GRANT SELECT ON {TABLES} TO bourse_engine;
GRANT INSERT (kind, asset_id, owner_id, label, frozen, created_at), UPDATE (held) ON ledger_account TO bourse_engine;

REVOKE EXECUTE ON FUNCTION ledger_apply_entries, ledger_refuse_change, ledger_guard_hold, ledger_make_partitions,
  ledger_expire_keys, ledger_post, ledger_move_held, ledger_take_writer FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger_post TO bourse_app, bourse_engine;
GRANT EXECUTE ON FUNCTION ledger_make_partitions, ledger_expire_keys TO bourse_app;
"""
