"""The two addresses of a log-in through Facebook. allauth's third, for Facebook's script, is left out: it needs no state."""

from allauth.socialaccount.providers.oauth2.urls import default_urlpatterns

from exchange.accounts.providers.facebook.provider import Facebook

urlpatterns = default_urlpatterns(Facebook)
