"""The server's settings for fuzzing: limits so wide that the forms behind them are reached each time."""

from config.settings.dev import *  # noqa: F403

_WIDE = (1_000_000, 10)
API_LIMITS = dict.fromkeys(API_LIMITS, _WIDE)  # noqa: F405
WEBSOCKET_LIMITS = {**WEBSOCKET_LIMITS, "messages_per_s": 1_000_000, "commands_per_s": 1_000_000}  # noqa: F405
