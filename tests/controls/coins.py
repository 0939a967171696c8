"""Controls on coins that others make impossible, and on what a block is matched with."""

from __future__ import annotations

from typing import Any

from tests.controls import Control

LOST = "tests/integration/wallets/test_wallets_lost_payouts.py::"


def at_once(payout: Any, routes: Any, cursor: Any) -> int:
    """In place of the height that is final: the newest block."""
    return int(cursor.height)


def any_version(payout: Any, routes: Any, final: int) -> str:
    """In place of every version: one that is impossible is enough."""
    from wallets.services import losing

    own = frozenset(version.txid for version in payout.versions.all())
    inputs = [outpoint for version in losing._versions(payout) for outpoint in losing._inputs(version)]
    return next(filter(None, (losing._taken(each, own, routes.network.id, final) for each in inputs)), "")


CONTROLS = [
    Control(
        name="a payout is given up only when what made it impossible is final",
        off=(("wallets.services.losing:_final", "tests.controls.coins:at_once"),),
        test=LOST + "test_the_branch_that_comes_back_in_time_finds_the_payout_waiting",
    ),
    Control(
        name="a payout is given up only when every configured node agrees",
        off=(("wallets.services.losing:_agreed", "tests.controls.off:yes"),),
        test=LOST + "test_a_coin_that_was_double_spent_for_good_ends_the_payout_and_pays_nobody",
    ),
    Control(
        name="a payout is given up only when none of its versions can be mined",
        off=(("wallets.services.losing:_coins_taken", "tests.controls.coins:any_version"),),
        test=LOST + "test_one_version_that_is_impossible_leaves_the_other_to_be_mined",
    ),
]
