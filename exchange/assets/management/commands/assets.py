"""`manage.py assets list | prices | refresh | set_contract | add_network | add_token | on`: what is listed, and how it moves."""

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from exchange.assets import prices, selectors
from exchange.assets.services import networks, rates
from exchange.assets.sources import SourceFailed
from exchange.core import amounts
from exchange.core.errors import DomainError, InvalidRequest
from wallets.chains.protocol import ChainError


class Command(BaseCommand):
    help = "Show assets and prices, refresh prices, add networks and tokens, set a token's contract."

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
        contract.add_argument("--unchecked", action="store_true", help="without asking the node for the token's digits")
        network = commands.add_parser("add_network", help="offer an EVM network that has a node (docs/operations.md)")
        network.add_argument("network", help="its name in the settings, such as bsc")
        network.add_argument("--name", default="", help="what customers read; needed for one that is new here")
        network.add_argument("--coin", default="", metavar="CODE", help="the coin in which it takes its fees")
        network.add_argument("--coin-name", default="")
        network.add_argument("--coin-id", type=int, default=0, help="a free asset id, where the coin is new here")
        network.add_argument("--standard", default="", help="what its tokens are called, such as BEP20")
        network.add_argument("--block-seconds", type=int, default=12)
        token = commands.add_parser("add_token", help="list an asset over one more EVM network")
        token.add_argument("asset")
        token.add_argument("network")
        token.add_argument("contract")
        token.add_argument("--decimals", type=int, required=True, help="the token's digits on that chain")
        for each in (network, token):
            each.add_argument("--confirmations", type=int, default=0, help="blocks before a deposit is credited")
            each.add_argument("--min-deposit", default="0", metavar="AMOUNT")
            each.add_argument("--min-withdrawal", default="0", metavar="AMOUNT")
            each.add_argument("--fee", default="0", metavar="AMOUNT", help="what a withdrawal costs")
            each.add_argument("--sweep-minimum", default="", metavar="AMOUNT", help="least that is swept; none: never")
        switch = commands.add_parser("on", help="offer an asset over a network that it is listed on")
        switch.add_argument("asset")
        switch.add_argument("network")

    def handle(self, *args, command, **options):
        try:
            getattr(self, f"_{command}")(options)
        except (DomainError, SourceFailed, ChainError) as error:
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
        known = selectors.asset_network(asset=options["asset"], network=options["network"])
        if not options["unchecked"] and known.family == "evm" and selectors.configured(known.network):
            networks.check_digits(network=known.network, contract=options["contract"], decimals=known.chain_decimals)
        link = networks.set_contract(
            asset=options["asset"],
            network=options["network"],
            contract=options["contract"],
            replace=options["replace"],
            now=timezone.now(),
        )
        self.stdout.write(f"{link.asset_code} on {link.network} is {link.contract}.")

    def _add_network(self, options):
        coin = options["coin"]
        decimals = selectors.asset(coin).decimals if coin and _exists(coin) else 18
        view = networks.add_network(
            code=options["network"],
            name=options["name"],
            own_coin=networks.OwnCoin(coin, options["coin_name"], options["coin_id"]) if coin else None,
            standard=options["standard"],
            block_seconds=options["block_seconds"],
            terms=_terms(options, decimals) if options["confirmations"] else None,
            now=timezone.now(),
        )
        self.stdout.write(
            f"{view.name} is offered; its coin is {view.own_coin}. "
            "Register its keys now (manage.py wallets import_xpubs), and restart beat and workers."
        )

    def _add_token(self, options):
        asked = {name: options[name] for name in ("network", "contract", "decimals")}
        networks.check_digits(**asked)
        link = networks.add_token(
            asset=options["asset"],
            **asked,
            terms=_terms(options, selectors.asset(options["asset"]).decimals),
            now=timezone.now(),
        )
        self.stdout.write(f"{link.asset_code} moves over {link.network_name} ({link.standard}): {link.contract}.")

    def _on(self, options):
        link = networks.switch_on(asset=options["asset"], network=options["network"], now=timezone.now())
        self.stdout.write(f"{link.asset_code} over {link.network} is on.")


def _exists(code):
    return any(asset.code == code for asset in selectors.assets(enabled_only=False))


def _terms(options, decimals):
    """Amounts of the command line in base units."""
    read = {
        name: amounts.parse(options[name], decimals=decimals, param=name)
        for name in ("min_deposit", "min_withdrawal", "fee")
    }
    if options["confirmations"] < 1 or not read["min_withdrawal"]:
        raise InvalidRequest("--confirmations and --min-withdrawal must be said, and be more than nothing.")
    least = options["sweep_minimum"]
    return networks.Terms(
        confirmations=options["confirmations"],
        min_deposit=read["min_deposit"],
        min_withdrawal=read["min_withdrawal"],
        withdrawal_fee=read["fee"],
        sweep_minimum=amounts.parse(least, decimals=decimals) if least else None,
    )
