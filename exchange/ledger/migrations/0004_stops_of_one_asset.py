"""Withdrawals may be stopped of one asset alone: the scope names it behind a colon."""

from django.db import migrations

SCOPES = """
ALTER TABLE ledger_stop DROP CONSTRAINT ledger_stop_scope_check;
ALTER TABLE ledger_stop ADD CONSTRAINT ledger_stop_scope_check
    CHECK (scope IN ('withdrawals', 'deposits', 'trading') OR scope ~ '^withdrawals:[A-Z0-9]{1,16}$');
"""


class Migration(migrations.Migration):
    dependencies = [("ledger", "0003_held_in_one")]

    operations = [migrations.RunSQL(SCOPES, reverse_sql=migrations.RunSQL.noop, elidable=False)]
