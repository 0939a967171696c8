"""Room for candles of a week and a month, which open before the day on which their first trade comes; and the new intervals
of what traded until now, from the stored candles that they are made of (a second has none: it begins here)."""

from django.db import migrations

PARTITIONS = """
CREATE OR REPLACE FUNCTION trading_make_partitions(ahead integer DEFAULT 2) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $make$
DECLARE
  made integer := 0;
  wanted record;
  n bigint;
  child text;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('trading_make_partitions'));
  FOR wanted IN
    SELECT 'trading_command' AS parent, 10000000::bigint * 1024 AS width, next_command * 1024 AS first, next_command * 1024 AS last,
           100 AS fill FROM trading_shard
    UNION ALL SELECT 'trading_order', 10000000::bigint * 1024, next_order * 1024, next_order * 1024, 85 FROM trading_shard
    UNION ALL SELECT 'trading_trade', 10000000::bigint * 1024, next_trade * 1024, next_trade * 1024, 100 FROM trading_shard
    -- A candle of this month opened at most 31 days ago.
    UNION ALL SELECT 'trading_candle', 2592000::bigint * 262144, (extract(epoch FROM now())::bigint - 2678400) * 262144,
                     extract(epoch FROM now())::bigint * 262144, 80
  LOOP
    FOR n IN (wanted.first / wanted.width) .. (wanted.last / wanted.width + ahead) LOOP
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
"""

# Weeks and months reach back beyond the first candle's partition, so room is made for them first.
FILL = """
DO $room$
DECLARE
  n bigint;
  child text;
  oldest bigint;
BEGIN
  SELECT extract(epoch FROM coalesce(min(open_time), now()))::bigint - 2678400 INTO oldest FROM trading_candle;
  FOR n IN (oldest / 2592000) .. (extract(epoch FROM now())::bigint / 2592000) LOOP
    child := format('trading_candle_p%s', n);
    CONTINUE WHEN to_regclass(child) IS NOT NULL;
    EXECUTE format('CREATE TABLE %I (LIKE trading_candle INCLUDING ALL) WITH (fillfactor = 80)', child);
    EXECUTE format('REVOKE INSERT, UPDATE, DELETE ON %I FROM bourse_app', child);
    EXECUTE format('ALTER TABLE trading_candle ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)',
                   child, n * 2592000 * 262144, (n + 1) * 2592000 * 262144);
  END LOOP;
END
$room$;
INSERT INTO trading_candle (id, market_id, interval, open_time, open, high, low, close, lots, quote_units, trades)
SELECT extract(epoch FROM opened)::bigint * 262144 + market_id * 16 + place, market_id, place, opened,
       (array_agg(open ORDER BY open_time))[1], max(high), min(low), (array_agg(close ORDER BY open_time DESC))[1],
       sum(lots), sum(quote_units), sum(trades)
FROM (
  SELECT c.*, made.place, CASE made.place
      WHEN 10 THEN date_trunc('week', open_time, 'UTC') WHEN 11 THEN date_trunc('month', open_time, 'UTC')
      ELSE date_bin(made.length, open_time, '2000-01-01 00:00:00+00') END AS opened
  FROM trading_candle c JOIN (VALUES
      (8, 3, interval '30 minutes'), (9, 5, interval '12 hours'), (10, 6, NULL), (11, 6, NULL)
  ) AS made (place, of, length) ON c.interval = made.of
) smaller
GROUP BY market_id, place, opened
ON CONFLICT (id) DO NOTHING;
"""


class Migration(migrations.Migration):
    dependencies = [("trading", "0002_order_types")]

    operations = [
        migrations.RunSQL(PARTITIONS, migrations.RunSQL.noop),
        migrations.RunSQL("SELECT trading_make_partitions()", migrations.RunSQL.noop),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
    ]
