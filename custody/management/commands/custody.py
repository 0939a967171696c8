"""`manage.py custody init|show|limit`, under the signer's settings only: makes the keystore, prints what is public, sets limits.

What must never happen here: a seed on a terminal unasked, an existing keystore touched, or a run under the web's settings.
"""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from custody import by_hand
from exchange.core import amounts
from exchange.core.errors import InvalidRequest
from wallets.chains import registry
from wallets.chains.evm.rules import EvmRules
from wallets.chains.protocol import AddressInvalid

NATIVE_DECIMALS = {"bitcoin": 8, "litecoin": 8, "ethereum": 18}
# (asset id, symbol, decimals, each, hour, day, fee): a start for a small exchange; `custody limit` changes them.
FIRST_LIMITS = {
    "bitcoin": (1, "BTC", 8, "2", "5", "10", "0.01"),
    "litecoin": (2, "LTC", 8, "200", "500", "1000", "0.1"),
    "ethereum": (3, "ETH", 18, "30", "100", "200", "0.05"),
}


class Command(BaseCommand):
    help = "Keystore, public keys and limits of the signer (needs DJANGO_SETTINGS_MODULE=config.settings.signer)."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        init = actions.add_parser(
            "init", help="make keystore, velocity log and first limits, and print the public keys"
        )
        init.add_argument("--if-missing", action="store_true", help="leave a keystore that stands alone and say so")
        show = actions.add_parser("show", help="print fingerprint and public keys")
        for action in (init, show):
            action.add_argument("--public", type=Path, metavar="FILE", help="write the public keys there as JSON")
        limit = actions.add_parser("limit", help="set what the signer signs at most of one asset")
        limit.add_argument("asset", help="bitcoin, litecoin, ethereum or ethereum:0xCONTRACT")
        limit.add_argument("--asset-id", type=int, required=True)
        limit.add_argument("--symbol", required=True)
        limit.add_argument("--decimals", type=int, required=True)
        for name, meaning in (("each", "one payout"), ("hour", "an hour"), ("day", "a day")):
            limit.add_argument(f"--{name}", required=True, metavar="AMOUNT", help=f"{meaning} at most, fees included")
        limit.add_argument("--fee", required=True, metavar="AMOUNT", help="one fee at most, in the chain's own coin")

        by_hand.add_arguments(actions.add_parser("sign", help="sign for cold coins, on your own machine"))

    def handle(self, *args: Any, **options: Any) -> None:
        if options["action"] == "sign":
            self._sign(options)
            return
        if not getattr(settings, "KEYSTORE_PATH", ""):
            raise CommandError(
                "This runs where the keys are: DJANGO_SETTINGS_MODULE=config.settings.signer, and KEYSTORE_PATH."
            )
        from custody import keystore, limits, private_files

        try:
            {"init": self._init, "show": self._show, "limit": self._limit}[options["action"]](options)
        except (
            keystore.KeystoreUnreadable,
            keystore.PassphraseWeak,
            limits.LimitsUnreadable,
            private_files.FileExposed,
            OSError,
        ) as error:
            raise CommandError(str(error)) from None

    def _sign(self, options: dict[str, Any]) -> None:
        """Needs neither keystore nor database: the keys are in the device."""
        try:
            by_hand.run(options, say=self.stdout.write)
        except by_hand.NotSigned as why:
            raise CommandError(str(why)) from None

    def _init(self, options: dict[str, Any]) -> None:
        from custody import keystore, private_files
        from custody.signers.software import SoftwareSigner
        from custody.velocity import VelocityLog

        path, passphrase = Path(settings.KEYSTORE_PATH), Path(settings.KEYSTORE_PASSPHRASE_FILE)
        if path.exists():
            if not options["if_missing"]:
                raise CommandError(f"{path} stands already; a keystore is never overwritten.")
            self.stdout.write(f"{path} stands already.")
            self._show(options)
            return
        if not passphrase.exists():
            private_files.write_new(passphrase, secrets.token_hex(32).encode() + b"\n")
            self.stderr.write(f"Made a passphrase in {passphrase}. Keep it apart from the keystore's backup.")
        seed = secrets.token_bytes(keystore.SEED_SIZE)
        signer = SoftwareSigner(seed)
        # The log first: a keystore without its log does not start, a log without a keystore harms nobody.
        log_path = Path(settings.VELOCITY_LOG_PATH)
        if log_path.exists():
            if private_files.read(log_path).count(b"\n") > 1:
                raise CommandError(f"{log_path} belongs to another keystore; move it away, and keep it.")
            log_path.unlink()  # an init that was cut short left it, and nothing was ever signed with it
        VelocityLog.create(log_path, key=signer.log_key())
        self._first_limits()
        keystore.create(path, key=keystore.PassphraseFile(passphrase), seed=seed, fingerprint=signer.fingerprint)
        self._print_public(signer, options)

    def _show(self, options: dict[str, Any]) -> None:
        self._print_public(_signer(), options)

    def _print_public(self, signer: Any, options: dict[str, Any]) -> None:
        from custody.public_keys import document

        text = json.dumps(document(signer, settings.CHAINS), indent=1)
        if options["public"]:
            options["public"].write_text(text + "\n")
            self.stdout.write(f"fingerprint {signer.fingerprint}; public keys in {options['public']}")
        else:
            self.stdout.write(text)

    def _first_limits(self) -> None:
        from custody import limits
        from custody.signer_paths import limits_path

        if not limits_path().exists():
            limits.write(limits_path(), {asset: _limit_row(asset, *row) for asset, row in FIRST_LIMITS.items()})

    def _limit(self, options: dict[str, Any]) -> None:
        from custody import limits
        from custody.signer_paths import limits_path

        network, _, contract = options["asset"].partition(":")
        if network not in NATIVE_DECIMALS:
            raise CommandError(f"There is no network {network}; there are: {', '.join(NATIVE_DECIMALS)}.")
        if contract:
            _check_contract(network, contract)
        asset = limits.asset_key(network, contract)
        path = limits_path()
        rows = limits.read(path) if path.exists() else {}
        names = ("asset_id", "symbol", "decimals", "each", "hour", "day", "fee")
        rows[asset] = _limit_row(asset, *(options[name] for name in names))
        limits.write(path, rows)
        each, hour, day = (f"{options[name]} {options['symbol']}" for name in ("each", "hour", "day"))
        self.stdout.write(f"{asset}: one payout {each}, an hour {hour}, a day {day} at most")


def _limit_row(asset: str, asset_id: int, symbol: str, decimals: int, each: str, hour: str, day: str, fee: str) -> Any:
    from custody.limits import Limit

    try:
        units = [amounts.parse(text, decimals=decimals) for text in (each, hour, day)]
        fee_units = amounts.parse(fee, decimals=NATIVE_DECIMALS[asset.partition(":")[0]])
    except InvalidRequest as error:
        raise CommandError(str(error)) from None
    return Limit(asset_id, symbol, decimals, *units, fee_units)


def _check_contract(network: str, contract: str) -> None:
    rules = registry.rules(network, **settings.CHAINS[network])
    if not isinstance(rules, EvmRules):
        raise CommandError(f"There are no contracts on {network}.")
    try:
        rules.parse(contract)
    except AddressInvalid as error:
        raise CommandError(str(error)) from None


def _signer() -> Any:
    from custody import keystore
    from custody.signers.software import SoftwareSigner

    key = keystore.PassphraseFile(Path(settings.KEYSTORE_PASSPHRASE_FILE))
    return SoftwareSigner(keystore.open_seed(Path(settings.KEYSTORE_PATH), key=key))
