"""The websocket at /ws/: market data, a customer's own channels, and orders. `Socket` is the whole of it."""

from trading.sockets.consumer import Socket as Socket
