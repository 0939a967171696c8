"""The three addresses of a log-in through Apple: the button, Apple's post, and the return that it is turned into."""

from allauth.socialaccount.providers.oauth2.urls import default_urlpatterns
from django.urls import path

from exchange.accounts.providers.apple.provider import Apple
from exchange.accounts.providers.apple.views import oauth2_finish

urlpatterns = [
    *default_urlpatterns(Apple),
    path("apple/login/callback/finish/", oauth2_finish, name="apple_finish_callback"),
]
