"""Addresses of the websockets. The connection checks origin and log-in itself, so that no mount can forget to."""

from django.urls import path

from trading import sockets

websocket_urlpatterns = [path("ws/", sockets.Socket.as_asgi())]
