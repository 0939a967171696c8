"""`python -m deploy.demo`: runs the demo; `stop` ends one, `pay` sends coins from outside to a deposit address, `mail` prints the
newest mails, `code` what the authenticator apps of its people show."""

from __future__ import annotations

import argparse
import os
import sys

from config.embedded import EmbeddedServiceError
from config.regtest import NodeError, keeper
from config.regtest.__main__ import pay
from config.regtest.process import refuse_production
from config.regtest.rpc import RpcError
from deploy.demo import codes, mailbox, record, supervisor
from deploy.setup import machine, places
from deploy.setup.failures import SetupError


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.demo", description=__doc__)
    actions = parser.add_subparsers(dest="action")
    actions.add_parser("run", help="run the demo (the default)")
    actions.add_parser("stop", help="end a running demo")
    paying = actions.add_parser("pay", help="send coins from outside")
    paying.add_argument("address")
    paying.add_argument("amount")
    paying.add_argument("--asset", default="", help="USDT for the test token; else the chain's own coin")
    actions.add_parser("mail", help="print the newest mails")
    actions.add_parser("code", help="print what the authenticator apps of the demo's people show")
    arguments = parser.parse_args()
    try:
        refuse_production()
        if arguments.action == "stop":
            return supervisor.stop()
        if arguments.action == "mail":
            sys.stdout.write(mailbox.newest(places.state() / "mail"))
            return 0
        if arguments.action == "code":
            sys.stdout.write(codes.said(record.load(places.state()).factors()))
            return 0
        if arguments.action == "pay":
            token = record.load(places.state()).token if arguments.asset.upper() == "USDT" else ""
            sys.stdout.write(
                f"{pay(keeper.attach(places.state()), arguments.address, arguments.amount, token=token)}\n"
            )
            return 0
        port = machine.read_port(os.environ.get("PORT") or str(machine.DEFAULT_PORT))
        return supervisor.run(port=port, verbose=bool(os.environ.get("VERBOSE")))
    except (SetupError, NodeError, RpcError, EmbeddedServiceError) as exc:
        sys.stderr.write(f"\n{exc}\n")
        return 1
    except KeyboardInterrupt:  # before the supervisor listens, or after it has cleaned up
        return 130


if __name__ == "__main__":
    sys.exit(main())
