"""`custody cold add|list|remove`: the cold wallets to which the signer lets coins go beside its limits."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.conf import settings

from custody import cold_addresses
from custody.cold_addresses import Wallet
from custody.commands.errors import NotDone
from custody.signer_paths import cold_path
from wallets.chains import registry


def add_arguments(actions: Any) -> None:
    cold = actions.add_parser("cold", help="the cold wallets that the signer knows")
    what = cold.add_subparsers(dest="cold_action", required=True)
    add = what.add_parser("add", help="take an address or a descriptor of public keys for cold")
    remove = what.add_parser("remove", help="take it for cold no more")
    for action in (add, remove):
        action.add_argument("network")
        action.add_argument("text", help="an address, or a descriptor with its checksum")
    add.add_argument("--label", default="", help="what people call it")
    what.add_parser("list", help="print them with their first addresses")


def run(options: dict[str, Any], *, say: Any) -> None:
    """Raises ColdRefused, ColdUnreadable, FileExposed, NotDone."""
    found = cold_addresses.read(cold_path())
    if options["cold_action"] == "list":
        for network, wallets in found.wallets.items():
            for wallet in wallets:
                say(_line(network, wallet))
        return
    network, text = options["network"], options["text"].strip()
    if network not in settings.CHAINS:
        raise NotDone(f"There is no network {network}; there are: {', '.join(settings.CHAINS)}.")
    if options["cold_action"] == "remove":
        cold_addresses.write(cold_path(), found.without(network, text))
        say(f"{text} is cold no more")
        return
    wallet = Wallet(text, options["label"], datetime.now(UTC).date().isoformat())
    cold_addresses.write(cold_path(), found.with_wallet(network, _rules(network), wallet))
    say(_line(network, wallet))
    say(
        "Compare this first address with the one that your device or wallet shows. The signer sends there without a limit."
    )


def _line(network: str, wallet: Wallet) -> str:
    first = cold_addresses.first(wallet.text, _rules(network))
    return f"{network} {wallet.label or 'cold'} (since {wallet.added_at}): {wallet.text}\n  first address {first}"


def _rules(network: str) -> Any:
    return registry.rules(network, **settings.CHAINS[network])
