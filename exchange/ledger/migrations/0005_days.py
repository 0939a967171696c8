"""What moved on each of a customer's accounts on each day (UTC): worked out from the entries, so that a page need not add up a
million of them. It can be thrown away and made again from the book at any time.

What must never happen here: a balance that money depends on; nothing but pages and statements may read these tables.
"""

from django.db import migrations

DAYS = """
CREATE TABLE ledger_day (
  account_id bigint NOT NULL REFERENCES ledger_account,
  day date NOT NULL,
  entries bigint NOT NULL CHECK (entries > 0),
  credits numeric(78,0) NOT NULL CHECK (credits >= 0),
  debits numeric(78,0) NOT NULL CHECK (debits >= 0),
  first_entry_id bigint NOT NULL,
  last_entry_id bigint NOT NULL CHECK (last_entry_id >= first_entry_id),
  PRIMARY KEY (account_id, day)
) WITH (fillfactor = 80);

-- Up to which batch of each writer's chain the days go. Batches of a writer commit in order: nothing turns up below a mark.
CREATE TABLE ledger_day_mark (
  writer_id smallint PRIMARY KEY REFERENCES ledger_writer,
  seq bigint NOT NULL CHECK (seq >= 0)
);

-- One row: the account up to which the days were held against the entries, in the round that is being made.
CREATE TABLE ledger_day_round (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  account_id bigint NOT NULL DEFAULT 0
);
INSERT INTO ledger_day_round DEFAULT VALUES;

REVOKE ALL ON ledger_day, ledger_day_mark, ledger_day_round FROM PUBLIC, bourse_app, bourse_engine, bourse_signer;
GRANT SELECT, INSERT, UPDATE, DELETE ON ledger_day TO bourse_app;
GRANT SELECT, INSERT, UPDATE ON ledger_day_mark TO bourse_app;
GRANT SELECT, UPDATE ON ledger_day_round TO bourse_app;
"""
GONE = "DROP TABLE ledger_day, ledger_day_mark, ledger_day_round;"


class Migration(migrations.Migration):
    dependencies = [("ledger", "0004_stops_of_one_asset")]

    operations = [migrations.RunSQL(DAYS, GONE)]
