"""The websocket at /ws/: market data, a customer's own channels, and orders. `application` is the whole of it."""

from trading.sockets.connection import application as application
