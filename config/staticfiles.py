"""Static files from the web process itself, without pushing every other request through a thread.

WhiteNoise's own middleware is synchronous, and one synchronous middleware makes Django run all that is inside it in a
thread: the order path would lose about half its speed. Here only a request for a static file meets a thread.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from whitenoise.middleware import WhiteNoiseMiddleware


class StaticFiles(WhiteNoiseMiddleware):
    """WhiteNoise, for both kinds of server."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        super().__init__(get_response, settings)
        self.asynchronous = iscoroutinefunction(get_response)
        if self.asynchronous:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponse | Awaitable[HttpResponse]:
        if not self.asynchronous:
            return self._answer(request) or self.get_response(request)
        return self._acall(request)

    async def _acall(self, request: HttpRequest) -> HttpResponse:
        if request.path_info.startswith(self.static_prefix):
            answer = await sync_to_async(self._answer, thread_sensitive=False)(request)
            if answer is not None:
                return answer
        return await self.get_response(request)

    def _answer(self, request: HttpRequest) -> HttpResponse | None:
        path = request.path_info
        static_file = self.find_file(path) if self.autorefresh else self.files.get(path)
        if static_file is None:
            return None
        found = static_file.get_response(request.method, request.META)
        response = HttpResponse(found.file.read() if found.file else b"", status=int(found.status))
        del response["content-type"]
        for name, value in found.headers:
            response[name] = value
        return response
