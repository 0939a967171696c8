"""The two addresses of a log-in through X."""

from allauth.socialaccount.providers.oauth2.urls import default_urlpatterns

from exchange.accounts.providers.x.provider import X

urlpatterns = default_urlpatterns(X)
