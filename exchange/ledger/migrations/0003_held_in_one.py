"""A post without transfers moves all that is held in one statement: no balance changes between what is released and what is
held anew, so there is no order to keep, and the engine's small batches are mostly such posts.

What must never happen here: an account of which more is held than it has, for which see the CHECK of ledger_account.
"""

from django.db import migrations

from exchange.ledger.migrations._functions import DOOR

_BEGIN, _END = DOOR.index("CREATE FUNCTION ledger_move_held"), DOOR.index("-- 'services' takes")
_POST = DOOR[DOOR.index("CREATE FUNCTION ledger_post") : _BEGIN]
_MOVE_HELD = DOOR[_BEGIN:_END]


def _changed(text: str, *changes: tuple[str, str]) -> str:
    for old, new in (("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION"), *changes):
        if text.count(old) != 1:
            raise ValueError(f"{text.count(old)} times: {old}")
        text = text.replace(old, new)
    return text


# Without a sign: all of them.
_ALL_OR = "(p_sign IS NULL OR sign(d.amount) = p_sign)"
FORWARD = _changed(
    _MOVE_HELD,
    ("WHERE sign(d.amount) = p_sign;", f"WHERE {_ALL_OR};"),
    ("AND sign(d.amount) = p_sign;", f"AND {_ALL_OR};"),
) + _changed(
    _POST,
    ("PERFORM ledger_move_held(p_held_accounts, p_held_deltas, -1);",
     "PERFORM ledger_move_held(p_held_accounts, p_held_deltas, CASE WHEN n > 0 THEN -1 END);"),
    ("IF p_held_accounts <> '{}' THEN\n    PERFORM ledger_move_held(p_held_accounts, p_held_deltas, 1);",
     "IF n > 0 AND p_held_accounts <> '{}' THEN\n    PERFORM ledger_move_held(p_held_accounts, p_held_deltas, 1);"),
)  # fmt: skip
BACKWARD = _changed(_MOVE_HELD) + _changed(_POST)


class Migration(migrations.Migration):
    dependencies = [("ledger", "0002_house_rebates")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
