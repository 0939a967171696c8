"""Where providers call: the body is verified as it came, kept, and answered at once; the work is done later.

What must never happen here: an answer that tells a stranger whether a name, a key or an application exists, or work that
makes a provider wait (it would call again).
"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST
from prometheus_client import Counter

from kyc import providers
from kyc.providers.protocol import SignatureWrong
from kyc.services import providing

BYTES_MAX = 64 * 1024
RECEIVED = Counter("bourse_kyc_webhooks_total", "Webhooks of identity providers.", ["outcome"])


@csrf_exempt
@require_POST
def receive(request: HttpRequest, provider: str) -> HttpResponse:
    service = providers.by_name(provider)
    if service is None:
        return HttpResponse(status=404)
    body = request.read(BYTES_MAX + 1)
    if len(body) > BYTES_MAX:
        RECEIVED.labels("too_large").inc()
        return HttpResponse(status=413)
    try:
        new = providing.receive(provider=service, raw_body=body, headers=dict(request.headers), now=timezone.now())
    except SignatureWrong:
        RECEIVED.labels("forged").inc()
        return HttpResponse(status=401)
    RECEIVED.labels("new" if new else "repeated").inc()
    return HttpResponse(status=200)
