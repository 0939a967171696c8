"""What the next batch will find under its locks, if nobody else touches these accounts meanwhile: as the batch before left them.

A batch is judged on this while the one before is still with the database. When its own turn comes, the rows are locked and
compared, before anything else of it is written; where they differ, it is undone and done again on what they say.
What must never happen here: an account remembered from a batch that was rolled back.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from trading.engine.funds import Funds, Standing

ACCOUNTS_MAX = 500_000


class Otherwise(Exception):
    """The locked rows, or the commands' keys, are not as a batch expected them; it is to be done again."""


class Expected:
    """Accounts as they are after the last batch that was matched. `look` asks for those that no batch has touched."""

    def __init__(self, look: Callable[[Collection[int]], Mapping[int, Standing]]) -> None:
        self._known: dict[int, Standing] = {}
        self._look = look

    def of(self, accounts: Collection[int]) -> dict[int, Standing]:
        """These accounts, as far as anybody can know them before their locks."""
        known = self._known
        if unknown := set(accounts).difference(known):
            known.update(self._look(unknown))
        return dict(zip(accounts, map(known.__getitem__, accounts), strict=True))

    def learn(self, before: Mapping[int, Standing], funds: Funds) -> None:
        """What a batch found, and has made of it."""
        if len(self._known) > ACCOUNTS_MAX:
            self._known.clear()
        self._known.update(before)
        for account in funds.balance_deltas.keys() | funds.held_deltas.keys():
            self._known[account] = funds.standing(account)

    def forget(self) -> None:
        """Something was undone."""
        self._known.clear()
