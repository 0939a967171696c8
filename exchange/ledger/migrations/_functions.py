# ruff: noqa: S608 - the only values put into this SQL are the constants of this folder
"""The database's own share of the book: the one door for entries, the triggers behind it, and the partitions ahead of it.

What must never happen here: a way for a run-time role to write a balance, to change what was posted, or to post outside a chain.
"""

from exchange.ledger.migrations._tables import ENTRY_SLOT_BITS, TRANSFERS_PER_PARTITION_BITS

TRIGGERS = """
-- Entries move balances, and nothing else does. One statement's entries must sum to zero for each transfer and asset.
-- Plans are kept for the session, whatever the size of its first batch: the accounts must be found by their index, never by
-- a scan of all of them, so joins by hash are off until only this statement's own rows are left to join.
CREATE FUNCTION ledger_apply_entries() RETURNS trigger
  LANGUAGE plpgsql SET search_path = public, pg_temp SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
  accounts bigint[];
  assets integer[];
  touched bigint;
  wrong record;
BEGIN
  WITH delta AS MATERIALIZED (
    SELECT account_id, sum(amount) AS amount FROM added GROUP BY account_id
  ), moved AS (
    UPDATE ledger_account a SET balance = a.balance + d.amount FROM delta d WHERE a.id = d.account_id
      RETURNING a.id, a.asset_id
  ) SELECT array_agg(id), array_agg(asset_id), (SELECT count(*) FROM delta) INTO accounts, assets, touched FROM moved;
  IF coalesce(array_length(accounts, 1), 0) <> touched THEN
    RAISE EXCEPTION 'ledger: some account of these entries does not exist'
      USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'ledger_entry_account';
  END IF;
  PERFORM set_config('enable_hashjoin', 'on', true);
  SELECT e.transfer_id, a.asset_id, sum(e.amount) AS total INTO wrong
    FROM added e JOIN unnest(accounts, assets) AS a (id, asset_id) ON a.id = e.account_id
    GROUP BY e.transfer_id, a.asset_id HAVING sum(e.amount) <> 0 LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'ledger: transfer % is off by % in asset %', wrong.transfer_id, wrong.total, wrong.asset_id
      USING ERRCODE = 'check_violation', CONSTRAINT = 'ledger_entry_sum_zero';
  END IF;
  RETURN NULL;
END $$;

CREATE FUNCTION ledger_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'ledger: % is append-only, % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'insufficient_privilege';
END $$;

-- A hold is resolved once, and what it holds never changes.
CREATE FUNCTION ledger_guard_hold() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.state <> 'pending' OR NEW.state = 'pending' THEN
    RAISE EXCEPTION 'ledger: hold % is % already', OLD.id, OLD.state
      USING ERRCODE = 'check_violation', CONSTRAINT = 'ledger_hold_once';
  END IF;
  IF (NEW.id, NEW.account_id, NEW.amount, NEW.created_at) IS DISTINCT FROM (OLD.id, OLD.account_id, OLD.amount, OLD.created_at) THEN
    RAISE EXCEPTION 'ledger: what hold % holds cannot change', OLD.id USING ERRCODE = 'check_violation';
  END IF;
  RETURN NEW;
END $$;

CREATE TRIGGER ledger_entry_apply AFTER INSERT ON ledger_entry
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ledger_apply_entries();
CREATE TRIGGER ledger_entry_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_entry
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER ledger_transfer_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_transfer
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER ledger_batch_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_batch
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER ledger_account_kept BEFORE DELETE OR TRUNCATE ON ledger_account
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER ledger_hold_kept BEFORE DELETE OR TRUNCATE ON ledger_hold
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER ledger_hold_once BEFORE UPDATE ON ledger_hold FOR EACH ROW EXECUTE FUNCTION ledger_guard_hold();
"""

PARTITIONS = f"""
-- Makes the partitions that the next transfers will need; run by the owner's migration and by the task ledger.make_partitions.
-- A statement trigger fires for the table that a statement names, so each partition carries the parent's triggers, too.
CREATE FUNCTION ledger_make_partitions(ahead integer DEFAULT 2) RETURNS integer
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  current_part bigint;
  part bigint;
  made integer := 0;
  name text;
BEGIN
  IF ahead < 1 OR ahead > 64 THEN
    RAISE EXCEPTION 'ledger_make_partitions: ahead is 1 to 64' USING ERRCODE = 'invalid_parameter_value';
  END IF;
  PERFORM pg_advisory_xact_lock(hashtextextended('ledger_make_partitions', 0));
  SELECT last_value >> {TRANSFERS_PER_PARTITION_BITS} INTO current_part FROM ledger_transfer_id_seq;
  FOR step IN 0 .. ahead LOOP
    part := current_part + step;  -- a loop's own variable would be an integer, too small for the bounds below
    name := 'ledger_transfer_p' || part;
    IF to_regclass(name) IS NULL THEN
      EXECUTE format('CREATE TABLE %I (LIKE ledger_transfer INCLUDING ALL)', name);
      EXECUTE format('REVOKE ALL ON %I FROM bourse_app', name);
      EXECUTE format('ALTER TABLE ledger_transfer ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)', name,
        part << {TRANSFERS_PER_PARTITION_BITS}, (part + 1) << {TRANSFERS_PER_PARTITION_BITS});
      EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON %I '
        'FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change()', name);
      made := made + 1;
    END IF;
    name := 'ledger_entry_p' || part;
    IF to_regclass(name) IS NULL THEN
      EXECUTE format('CREATE TABLE %I (LIKE ledger_entry INCLUDING ALL)', name);
      EXECUTE format('REVOKE ALL ON %I FROM bourse_app', name);
      EXECUTE format('ALTER TABLE ledger_entry ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)', name,
        part << {TRANSFERS_PER_PARTITION_BITS + ENTRY_SLOT_BITS}, (part + 1) << {TRANSFERS_PER_PARTITION_BITS + ENTRY_SLOT_BITS});
      EXECUTE format('CREATE TRIGGER apply AFTER INSERT ON %I REFERENCING NEW TABLE AS added '
        'FOR EACH STATEMENT EXECUTE FUNCTION ledger_apply_entries()', name);
      EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON %I '
        'FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change()', name);
      made := made + 1;
    END IF;
  END LOOP;
  RETURN made;
END $$;
SELECT ledger_make_partitions();

-- Keys are kept for 400 days: within that time a retried transfer finds its first result. At most 10,000 go at once, in the
-- order of transfers; how far this has come is kept, so that no run reads again what an earlier one has done.
CREATE FUNCTION ledger_expire_keys() RETURNS integer
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  cutoff timestamptz := now() - interval '400 days';
  done bigint;
  last bigint;
  gone integer;
BEGIN
  SELECT keys_expired_to INTO done FROM ledger_retention FOR UPDATE;
  SELECT coalesce(min(id) FILTER (WHERE posted_at >= cutoff) - 1, max(id), done) INTO last
    FROM (SELECT id, posted_at FROM ledger_transfer WHERE id > done ORDER BY id LIMIT 10000) AS next;
  DELETE FROM ledger_transfer_key k USING ledger_transfer t WHERE t.id > done AND t.id <= last AND k.uuid = t.uuid;
  GET DIAGNOSTICS gone = ROW_COUNT;
  UPDATE ledger_retention SET keys_expired_to = greatest(last, done);
  RETURN gone;
END $$;
"""

DOOR = f"""
-- The one door: keys, transfers, entries, held and the writer's chain, in the caller's transaction. The caller has locked
-- every account first, in id order. Arrays run in step: the first four by transfer, the next three by entry
-- (place = index of the transfer from 0, × 32, + place in it). Returns NULLs for a post without transfers.
CREATE FUNCTION ledger_post(
  p_writer text, p_now timestamptz,
  p_uuids uuid[], p_kinds text[], p_references text[], p_digests bytea,
  p_places integer[], p_accounts bigint[], p_amounts numeric[],
  p_held_accounts bigint[], p_held_deltas numeric[],
  OUT batch_id bigint, OUT seq bigint, OUT hash bytea, OUT transfer_ids bigint[]
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  n integer := coalesce(array_length(p_uuids, 1), 0);
  writer ledger_writer;
BEGIN
  -- What is released goes first and what is held anew goes last, so that held <= balance is true after each statement.
  IF p_held_accounts <> '{{}}' THEN
    PERFORM ledger_move_held(p_held_accounts, p_held_deltas, -1);
  END IF;
  IF n > 0 THEN
    batch_id := nextval('ledger_batch_id_seq');
    SELECT array_agg(nextval('ledger_transfer_id_seq')) INTO transfer_ids FROM generate_series(1, n);
    INSERT INTO ledger_transfer_key (uuid, transfer_id, digest)
      SELECT k.uuid, transfer_ids[k.i], substring(p_digests FROM (k.i::integer - 1) * 32 + 1 FOR 32)
      FROM unnest(p_uuids) WITH ORDINALITY AS k (uuid, i) ORDER BY k.uuid;
    INSERT INTO ledger_transfer (id, uuid, batch_id, kind, reference, posted_at)
      SELECT t.id, t.uuid, batch_id, t.kind, t.reference, p_now
      FROM unnest(transfer_ids, p_uuids, p_kinds, p_references) AS t (id, uuid, kind, reference);
    INSERT INTO ledger_entry (id, transfer_id, account_id, amount)
      SELECT transfer_ids[(e.place >> {ENTRY_SLOT_BITS}) + 1] << {ENTRY_SLOT_BITS} | (e.place & {2**ENTRY_SLOT_BITS - 1}),
        transfer_ids[(e.place >> {ENTRY_SLOT_BITS}) + 1], e.account_id, e.amount
      FROM unnest(p_places, p_accounts, p_amounts) AS e (place, account_id, amount);
  END IF;
  IF p_held_accounts <> '{{}}' THEN
    PERFORM ledger_move_held(p_held_accounts, p_held_deltas, 1);
  END IF;
  IF n > 0 THEN
    writer := ledger_take_writer(p_writer);
    seq := writer.seq + 1;
    hash := sha256(writer.head || int8send(writer.id) || int8send(seq)
      || int8send((extract(epoch FROM p_now) * 1000000)::bigint) || int4send(n) || p_digests);
    INSERT INTO ledger_batch (id, writer_id, seq, first_transfer_id, last_transfer_id, transfers, posted_at, previous, hash)
      VALUES (batch_id, writer.id, seq, transfer_ids[1], transfer_ids[n], n, p_now, writer.head, hash);
    UPDATE ledger_writer w SET seq = ledger_post.seq, head = ledger_post.hash WHERE w.id = writer.id;
  END IF;
END $$;

CREATE FUNCTION ledger_move_held(p_accounts bigint[], p_deltas numeric[], p_sign integer) RETURNS void
  LANGUAGE plpgsql SET search_path = public, pg_temp SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
  wanted bigint;
  moved bigint;
BEGIN
  SELECT count(*) INTO wanted FROM unnest(p_deltas) AS d (amount) WHERE sign(d.amount) = p_sign;
  IF wanted = 0 THEN
    RETURN;
  END IF;
  UPDATE ledger_account a SET held = a.held + d.amount
    FROM unnest(p_accounts, p_deltas) AS d (id, amount) WHERE a.id = d.id AND sign(d.amount) = p_sign;
  GET DIAGNOSTICS moved = ROW_COUNT;
  IF moved <> wanted THEN
    RAISE EXCEPTION 'ledger: held of % accounts was to move, of % it did', wanted, moved
      USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'ledger_held_account';
  END IF;
END $$;

-- 'services' takes any free lane of the services' chains; another name is a writer of its own, made at its first post.
CREATE FUNCTION ledger_take_writer(p_name text) RETURNS ledger_writer
  LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
  taken ledger_writer;
BEGIN
  IF p_name = 'services' THEN
    SELECT * INTO taken FROM ledger_writer WHERE lane ORDER BY id FOR UPDATE SKIP LOCKED LIMIT 1;
    IF NOT FOUND THEN
      SELECT * INTO taken FROM ledger_writer WHERE lane ORDER BY (id + pg_backend_pid()) % 16 LIMIT 1 FOR UPDATE;
    END IF;
    RETURN taken;
  END IF;
  SELECT * INTO taken FROM ledger_writer WHERE name = p_name FOR UPDATE;
  IF NOT FOUND THEN
    INSERT INTO ledger_writer (name) VALUES (p_name) ON CONFLICT DO NOTHING;
    SELECT * INTO taken FROM ledger_writer WHERE name = p_name FOR UPDATE;
  END IF;
  RETURN taken;
END $$;
"""

SQL = TRIGGERS + PARTITIONS + DOOR
