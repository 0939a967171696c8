"""The web process: pages, REST and websockets behind one ASGI application (`uvicorn config.asgi:application`)."""

import gc
import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.dev")
pages = get_asgi_application()  # fills the app registry, so it stands before the imports below

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402

from config.headers import Headers  # noqa: E402
from config.proxies import TrustedProxies  # noqa: E402
from exchange.site.api.body_limit import BodyLimit  # noqa: E402
from exchange.site.api.handler import ApiBesidePages  # noqa: E402
from trading.routing import websocket_urlpatterns  # noqa: E402

# The consumer checks origin and log-in itself, so that no routing mistake can leave either out.
application = Headers(
    TrustedProxies(
        ProtocolTypeRouter(
            {"http": BodyLimit(ApiBesidePages(pages=pages)), "websocket": URLRouter(websocket_urlpatterns)}
        )
    )
)

# What stands by now lives as long as the process. The collector walked it again every few hundred orders, which took a third of
# the time that an order over the websocket costs.
gc.collect()
gc.freeze()
gc.set_threshold(20_000, 20, 50)
