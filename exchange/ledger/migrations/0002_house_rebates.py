"""A kind of account for what the house pays to makers: an expense, so its balance is never above zero."""

from django.db import migrations

KINDS = """
ALTER TABLE ledger_account DROP CONSTRAINT ledger_account_sign;
ALTER TABLE ledger_account ADD CONSTRAINT ledger_account_sign CHECK (CASE kind
    WHEN 'customer' THEN balance >= 0
    WHEN 'house_capital' THEN balance >= 0
    WHEN 'house_fees' THEN balance >= 0
    WHEN 'house_spread' THEN balance >= 0
    WHEN 'suspense' THEN balance >= 0
    WHEN 'receivable' THEN balance <= 0
    WHEN 'house_network_fees' THEN balance <= 0
    WHEN 'house_rebates' THEN balance <= 0
    WHEN 'chain_wallet' THEN balance <= 0
    WHEN 'bank' THEN balance <= 0
    ELSE false END);
"""


class Migration(migrations.Migration):
    dependencies = [("ledger", "0001_initial")]

    operations = [migrations.RunSQL(KINDS, reverse_sql=migrations.RunSQL.noop, elidable=False)]
