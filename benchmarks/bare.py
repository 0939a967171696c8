"""A bare async Django application: one view that parses a JSON body and echoes it. No middleware, no database, no log-in.

What `benchmarks.http` measures our order path beside, on the same server (`uvicorn benchmarks.bare:application`). It is
Django as it comes, with the fastest JSON there is. What must never happen here: anything that makes it slower than it need be.
"""

from __future__ import annotations

import orjson
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path

settings.configure(ROOT_URLCONF=__name__, SECRET_KEY="of-a-benchmark", ALLOWED_HOSTS=["*"], MIDDLEWARE=[], DEBUG=False)


async def echo(request: HttpRequest) -> HttpResponse:
    body = orjson.dumps(orjson.loads(request.body))
    return HttpResponse(body, content_type="application/json", headers={"Content-Length": str(len(body))})


urlpatterns = [path("api/v1/orders", echo)]
application = get_asgi_application()
