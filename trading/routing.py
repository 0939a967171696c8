"""Addresses of the websockets. The consumer checks origin and log-in itself, so that no mount can forget to."""

from django.urls import path

from trading import consumers

websocket_urlpatterns = [path("ws/", consumers.Socket.as_asgi())]
