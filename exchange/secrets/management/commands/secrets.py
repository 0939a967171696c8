"""`manage.py secrets status | rotate PURPOSE | rewrap`: the versions of the data keys, and their renewal."""

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from exchange.secrets import envelope, masters, selectors, services, subjects


class Command(BaseCommand):
    help = "Show, rotate and re-wrap the keys that the house's secrets are encrypted with."

    def add_arguments(self, parser):
        commands = parser.add_subparsers(dest="command", required=True)
        commands.add_parser("status", help="list the data keys and the master key that wraps each")
        rotate = commands.add_parser("rotate", help="seal with a new key from now on; the old ones still open")
        rotate.add_argument("purpose")
        commands.add_parser("rewrap", help="put every data key under the current master key")

    def handle(self, *args, command, purpose=None, **options):
        getattr(self, f"_{command}")(purpose)

    def _status(self, purpose):
        self.stdout.write(f"Current master key: {envelope.master_id(masters.current())}")
        for key in selectors.data_keys():
            state = "opens only" if key.retired_at else "seals"
            self.stdout.write(f"{key.purpose} v{key.version}: {state}, wrapped by {key.master_id}")

    def _rotate(self, purpose):
        self.stdout.write(f"{purpose} now seals with v{services.rotate(purpose=purpose, now=timezone.now())}.")

    def _rewrap(self, purpose):
        try:
            moved, people = services.rewrap(), subjects.rewrap()
        except services.KeyMissing as error:
            raise CommandError(str(error)) from None
        self.stdout.write(f"{people} people's keys moved under the current master key.")
        self.stdout.write(f"{moved} data keys moved under the current master key; the old master key can go now.")
