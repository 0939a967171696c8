"""A message to a person, before it is a line in an inbox or an e-mail."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Message:
    """What a person reads. `user_id` is None for a message to all staff; `facts` are the lines of the e-mail's table, `action`
    the words on its button, `once` whether a mail sent again after a failure says something else than the one before. `not_me`
    puts the link that freezes the account into the mail; `also_to` is an address that gets the mail as well; `even_if_shut`
    sends it to somebody who cannot log in any more."""

    user_id: int | None
    kind: str
    title: str
    body: str
    link: str
    facts: tuple[tuple[str, str], ...] = ()
    action: str = ""
    once: bool = True
    not_me: bool = False
    also_to: str = ""
    even_if_shut: bool = False
