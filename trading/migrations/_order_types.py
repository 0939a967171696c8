"""SQL of 0002: what an order is beside its price and size, and who writes the rules of a market.

What must never happen here: an open order whose state and phase disagree, or a rule of a market that the web's role can write
behind the engine's back.
"""

# Only open orders need their rank and what they hold; a done one keeps no place and holds nothing.
ORDERS = """
ALTER TABLE trading_order
  ADD COLUMN rank bigint NOT NULL DEFAULT 0,
  ADD COLUMN phase smallint NOT NULL DEFAULT 0,
  ADD COLUMN held numeric(78,0) NOT NULL DEFAULT 0,
  ADD COLUMN terms jsonb;
UPDATE trading_order o SET rank = o.id / 1024, phase = 1, held = (o.lots - o.filled_lots)::numeric
    * CASE o.side WHEN 1 THEN o.price * m.tick_quote_units ELSE m.lot_base_units END
  FROM trading_market m WHERE m.id = o.market_id AND o.state = 1;
ALTER TABLE trading_order
  ALTER COLUMN rank DROP DEFAULT,
  ALTER COLUMN phase DROP DEFAULT,
  ALTER COLUMN held DROP DEFAULT,
  DROP CONSTRAINT trading_order_fee_check,
  ADD CONSTRAINT trading_order_kind CHECK (kind BETWEEN 1 AND 7 AND time_in_force BETWEEN 1 AND 4),
  ADD CONSTRAINT trading_order_phase CHECK (phase BETWEEN 0 AND 3 AND (state = 1) = (phase > 0)),
  ADD CONSTRAINT trading_order_held CHECK (held >= 0 AND (phase > 0 OR held = 0)),
  ADD CONSTRAINT trading_order_terms CHECK (terms IS NULL OR jsonb_typeof(terms) = 'object');
"""

# The markets of a shard that has worked already were open before there was a command for it.
FACTS = """
UPDATE trading_shard s SET last_prices = coalesce((
  SELECT jsonb_object_agg(m.id, t.price) FROM trading_market m CROSS JOIN LATERAL
    (SELECT price FROM trading_trade WHERE market_id = m.id ORDER BY id DESC LIMIT 1) t WHERE m.shard_id = s.id), '{}');
UPDATE trading_market m SET opened = true FROM trading_shard s WHERE s.id = m.shard_id AND s.seq > 0;
"""

GRANTS = """
REVOKE INSERT, UPDATE, DELETE ON trading_account_fee, trading_countdown FROM bourse_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON trading_account_fee, trading_countdown TO bourse_engine;
REVOKE UPDATE ON trading_market FROM bourse_app;
GRANT UPDATE (maker_fee_ppm, taker_fee_ppm, min_notional, band_ppm, slippage_ppm, max_open_orders, opened)
  ON trading_market TO bourse_engine;
"""
