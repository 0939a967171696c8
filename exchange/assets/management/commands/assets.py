"""`manage.py assets list | prices | refresh | set_contract USDT ethereum 0x…`: what is listed, its worth, its contracts."""

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from exchange.assets import prices, selectors
from exchange.assets.services import networks, rates
from exchange.assets.sources import SourceFailed
from exchange.core import amounts
from exchange.core.errors import DomainError


class Command(BaseCommand):
    help = "Show assets and prices, refresh prices, set a token's contract."

    def add_arguments(self, parser):
        commands = parser.add_subparsers(dest="command", required=True)
        commands.add_parser("list", help="every asset and how it moves")
        commands.add_parser("prices", help="the last known prices and their age")
        commands.add_parser("refresh", help="ask the price source once, now")
        contract = commands.add_parser("set_contract", help="name an asset's token contract on an EVM network")
        contract.add_argument("asset")
        contract.add_argument("network")
        contract.add_argument("contract")
        contract.add_argument("--replace", action="store_true", help="even where another contract is set")

    def handle(self, *args, command, **options):
        try:
            getattr(self, f"_{command}")(options)
        except (DomainError, SourceFailed) as error:
            raise CommandError(str(error)) from None

    def _list(self, options):
        for link in selectors.asset_networks(enabled_only=False):
            fee = amounts.format(link.withdrawal_fee, decimals=link.decimals)
            self.stdout.write(
                f"{link.asset_code} over {link.network}: {'on' if link.enabled else 'off'}, "
                f"{'–'.join(str(depth) for depth in link.depths)} confirmations, withdrawal fee {fee}"
                + (f", contract {link.contract}" if link.contract else "")
            )

    def _prices(self, options):
        now = timezone.now()
        for price in prices.latest():
            age_s = int((now - price.as_of).total_seconds())
            self.stdout.write(f"{price.code}: {price.usd.normalize():f} USD, {age_s} s old, {price.source}")

    def _refresh(self, options):
        changed = rates.refresh(now=timezone.now())
        self.stdout.write(f"{len(changed)} prices changed ({rates.source_name()}).")

    def _set_contract(self, options):
        link = networks.set_contract(
            asset=options["asset"],
            network=options["network"],
            contract=options["contract"],
            replace=options["replace"],
            now=timezone.now(),
        )
        self.stdout.write(f"{link.asset_code} on {link.network} is {link.contract}.")
