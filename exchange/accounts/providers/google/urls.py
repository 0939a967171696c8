"""The two addresses of a log-in through Google. allauth's third, for Google's own button, is left out: it needs no state."""

from allauth.socialaccount.providers.oauth2.urls import default_urlpatterns

from exchange.accounts.providers.google.provider import Google

urlpatterns = default_urlpatterns(Google)
