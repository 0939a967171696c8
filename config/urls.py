"""Every address of the site, by the room that answers it."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from config import health
from exchange.accounts.providers.pages import confirm as confirm_by_provider

urlpatterns = [
    path("livez", health.livez, name="livez"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
    path("favicon.ico", RedirectView.as_view(url=f"{settings.STATIC_URL}favicon.svg")),
    path("api/v1/", include("exchange.site.api.urls")),
    path("_allauth/app/v1/", include("exchange.accounts.second_factors.headless")),
    path("_allauth/", include("allauth.headless.urls")),
    path("accounts/sessions/", RedirectView.as_view(pattern_name="site:log_ins")),
    path("accounts/", include("exchange.accounts.second_factors.urls")),
    path("accounts/3rdparty/confirm/", confirm_by_provider, name="socialaccount_confirm"),
    path("accounts/", include("allauth.urls")),
    path("hooks/kyc/", include("kyc.urls")),
    path("admin/", admin.site.urls),
    path("", include("exchange.site.urls")),
]

handler400 = "exchange.site.errors.bad_request"
handler403 = "exchange.site.errors.forbidden"
handler404 = "exchange.site.errors.not_found"
handler429 = "exchange.site.errors.too_many"
handler500 = "exchange.site.errors.server_error"

admin.site.site_header = "Bourse"
admin.site.site_title = "Bourse back office"
admin.site.index_title = "Dashboard"
