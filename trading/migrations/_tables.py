"""SQL of the partitioned tables, their partitions and who may touch them.

Ids are counter · 1024 + shard, so a partition is a range of counters. What must never happen here: a table of the engine's
that the web's role can write, or a partition that is missing when the engine comes to it.
"""

TABLES = """
CREATE TABLE trading_command (
    id bigint PRIMARY KEY,
    seq bigint NOT NULL,
    user_id bigint NOT NULL,
    body text NOT NULL,
    verdict varchar(40) NOT NULL,
    order_id bigint,
    at timestamptz NOT NULL
) PARTITION BY RANGE (id);

CREATE TABLE trading_command_key (
    command_uuid uuid PRIMARY KEY,
    command_id bigint NOT NULL
) PARTITION BY HASH (command_uuid);

CREATE TABLE trading_order_key (
    user_id bigint NOT NULL,
    client_order_id varchar(36) COLLATE "C" NOT NULL,
    command_id bigint NOT NULL,
    PRIMARY KEY (user_id, client_order_id)
) PARTITION BY HASH (user_id);

CREATE TABLE trading_order (
    id bigint PRIMARY KEY,
    user_id bigint NOT NULL,
    market_id smallint NOT NULL,
    side smallint NOT NULL CHECK (side IN (1, 2)),
    kind smallint NOT NULL,
    time_in_force smallint NOT NULL,
    price bigint NOT NULL CHECK (price >= 0),
    lots bigint NOT NULL CHECK (lots >= 0),
    quote_units numeric(78,0) NOT NULL CHECK (quote_units >= 0),
    filled_lots bigint NOT NULL CHECK (filled_lots >= 0 AND (lots = 0 OR filled_lots <= lots)),
    filled_quote numeric(78,0) NOT NULL CHECK (filled_quote >= 0 AND (quote_units = 0 OR filled_quote <= quote_units)),
    fee numeric(78,0) NOT NULL CHECK (fee >= 0),
    state smallint NOT NULL CHECK (state IN (1, 2, 3)),
    reason varchar(20) NOT NULL,
    client_order_id varchar(36) COLLATE "C",
    base_account bigint NOT NULL,
    quote_account bigint NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    CHECK ((lots > 0) <> (quote_units > 0))
) PARTITION BY RANGE (id);
CREATE INDEX trading_order_of_user ON trading_order (user_id, id);
CREATE INDEX trading_order_open ON trading_order (user_id, id) WHERE state = 1;

CREATE TABLE trading_trade (
    id bigint PRIMARY KEY,
    market_id smallint NOT NULL,
    price bigint NOT NULL CHECK (price > 0),
    lots bigint NOT NULL CHECK (lots > 0),
    taker_side smallint NOT NULL CHECK (taker_side IN (1, 2)),
    maker_order_id bigint NOT NULL,
    taker_order_id bigint NOT NULL,
    maker_id bigint NOT NULL,
    taker_id bigint NOT NULL CHECK (taker_id <> maker_id),
    buyer_fee numeric(78,0) NOT NULL,
    seller_fee numeric(78,0) NOT NULL,
    at timestamptz NOT NULL
) PARTITION BY RANGE (id);
CREATE INDEX trading_trade_of_market ON trading_trade (market_id, id);
CREATE INDEX trading_trade_of_maker ON trading_trade (maker_id, id);
CREATE INDEX trading_trade_of_taker ON trading_trade (taker_id, id);

CREATE TABLE trading_candle (
    id bigint PRIMARY KEY,
    market_id smallint NOT NULL,
    interval smallint NOT NULL,
    open_time timestamptz NOT NULL,
    open bigint NOT NULL,
    high bigint NOT NULL,
    low bigint NOT NULL,
    close bigint NOT NULL,
    lots numeric(78,0) NOT NULL,
    quote_units numeric(78,0) NOT NULL,
    trades bigint NOT NULL,
    CHECK (low <= open AND low <= close AND high >= open AND high >= close)
) PARTITION BY RANGE (id);
CREATE INDEX trading_candle_of_market ON trading_candle (market_id, interval, open_time);

-- A record is written once, read back only after a crash and dropped soon: compressing it would cost more than it saves.
ALTER TABLE trading_batch ALTER COLUMN record SET STORAGE EXTERNAL;

DO $partitions$
BEGIN
  FOR n IN 0..7 LOOP
    EXECUTE format('CREATE TABLE trading_command_key_h%s PARTITION OF trading_command_key FOR VALUES WITH (MODULUS 8, REMAINDER %s)', n, n);
    EXECUTE format('CREATE TABLE trading_order_key_h%s PARTITION OF trading_order_key FOR VALUES WITH (MODULUS 8, REMAINDER %s)', n, n);
  END LOOP;
END
$partitions$;
"""

DROP_TABLES = (
    "DROP TABLE trading_command, trading_command_key, trading_order_key, trading_order, trading_trade, trading_candle"
)

# Ten million counters a partition; a candle's id is seconds · 2^18 + market · 16 + interval, thirty days a partition.
FUNCTIONS = """
CREATE FUNCTION trading_make_partitions(ahead integer DEFAULT 2) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $make$
DECLARE
  made integer := 0;
  wanted record;
  n bigint;
  child text;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('trading_make_partitions'));
  FOR wanted IN
    SELECT 'trading_command' AS parent, 10000000::bigint * 1024 AS width, next_command * 1024 AS position, 100 AS fill FROM trading_shard
    UNION ALL SELECT 'trading_order', 10000000::bigint * 1024, next_order * 1024, 85 FROM trading_shard
    UNION ALL SELECT 'trading_trade', 10000000::bigint * 1024, next_trade * 1024, 100 FROM trading_shard
    UNION ALL SELECT 'trading_candle', 2592000::bigint * 262144, extract(epoch FROM now())::bigint * 262144, 80
  LOOP
    FOR n IN (wanted.position / wanted.width) .. (wanted.position / wanted.width + ahead) LOOP
      child := format('%s_p%s', wanted.parent, n);
      CONTINUE WHEN to_regclass(child) IS NOT NULL;
      -- Made apart and attached: attaching takes a lock that lets the engine and the readers go on.
      EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL) WITH (fillfactor = %s)', child, wanted.parent, wanted.fill);
      EXECUTE format('REVOKE INSERT, UPDATE, DELETE ON %I FROM bourse_app', child);
      EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)',
                     wanted.parent, child, n * wanted.width, (n + 1) * wanted.width);
      made := made + 1;
    END LOOP;
  END LOOP;
  RETURN made;
END
$make$;

CREATE FUNCTION trading_expire_keys(older_than timestamptz, at_most integer DEFAULT 50000) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $expire$
DECLARE
  gone integer;
  more integer;
BEGIN
  IF older_than > now() - interval '7 days' THEN
    RAISE EXCEPTION 'keys are kept at least 7 days';
  END IF;
  DELETE FROM trading_command_key WHERE command_uuid IN (
    SELECT k.command_uuid FROM trading_command_key k JOIN trading_command c ON c.id = k.command_id
    WHERE c.at < older_than LIMIT at_most);
  GET DIAGNOSTICS gone = ROW_COUNT;
  -- An open order keeps its client's id, however old it is.
  DELETE FROM trading_order_key WHERE (user_id, client_order_id) IN (
    SELECT k.user_id, k.client_order_id FROM trading_order_key k JOIN trading_command c ON c.id = k.command_id
    LEFT JOIN trading_order o ON o.id = c.order_id
    WHERE c.at < older_than AND (o.id IS NULL OR o.state <> 1) LIMIT at_most);
  GET DIAGNOSTICS more = ROW_COUNT;
  RETURN gone + more;
END
$expire$;

REVOKE ALL ON FUNCTION trading_make_partitions(integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION trading_expire_keys(timestamptz, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION trading_make_partitions(integer) TO bourse_app, bourse_engine;
GRANT EXECUTE ON FUNCTION trading_expire_keys(timestamptz, integer) TO bourse_app;
"""

DROP_FUNCTIONS = (
    "DROP FUNCTION trading_make_partitions(integer); DROP FUNCTION trading_expire_keys(timestamptz, integer)"
)

# The web reads; only the engine writes what happened in the market, and nobody rewrites a command or a trade.
GRANTS = """
REVOKE INSERT, UPDATE, DELETE ON trading_shard, trading_batch, trading_command, trading_command_key, trading_order_key,
    trading_order, trading_trade, trading_candle FROM bourse_app;
DO $revoke$
BEGIN
  FOR n IN 0..7 LOOP
    EXECUTE format('REVOKE INSERT, UPDATE, DELETE ON trading_command_key_h%s, trading_order_key_h%s FROM bourse_app', n, n);
  END LOOP;
END
$revoke$;
REVOKE DELETE ON trading_market FROM bourse_app;
GRANT INSERT ON trading_shard TO bourse_app;
GRANT SELECT ON trading_market TO bourse_engine;
GRANT UPDATE (state) ON trading_market TO bourse_engine;
GRANT SELECT, UPDATE ON trading_shard TO bourse_engine;
GRANT SELECT, INSERT, DELETE ON trading_batch TO bourse_engine;
GRANT SELECT, INSERT ON trading_command, trading_command_key, trading_order_key, trading_trade TO bourse_engine;
GRANT SELECT, INSERT, UPDATE ON trading_order, trading_candle TO bourse_engine;
"""
