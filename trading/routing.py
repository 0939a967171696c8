"""Addresses of the websockets."""

websocket_urlpatterns: list = []
