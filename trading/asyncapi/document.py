"""The AsyncAPI document, put together from the tables beside this file. It speaks from the server's side: it receives what
clients ask, and sends what channels tell."""

from __future__ import annotations

from typing import Any

from trading.asyncapi.operations import HELLO, HELLO_EXAMPLE, OPERATIONS, REFUSED, REFUSED_EXAMPLE, Operation
from trading.asyncapi.schemas import components, news
from trading.asyncapi.streams import GAP, STREAMS, Stream
from trading.candles import BY_LENGTH
from trading.marketdata.channels import DEPTHS

_PARAMETERS: dict[str, dict[str, Any]] = {
    "market": {"description": "A market's symbol.", "examples": ["BTC-USDT"]},
    "depth": {"description": "Levels a side.", "enum": [str(depth) for depth in DEPTHS]},
    "interval": {"description": "How long a candle lasts; 1M is a calendar month.", "enum": list(BY_LENGTH)},
}
DESCRIPTION = (
    "One websocket at /ws/ carries everything. A client asks (operations that this server receives), and is answered in the "
    "order in which the answers are ready, with the `id` of what it asked. Channels that it has subscribed to send a snapshot "
    "first, then updates that go on from it; a gap is announced, and a snapshot follows. Amounts are decimal strings, times "
    "ISO 8601 in UTC."
)


def document() -> dict[str, Any]:
    """The whole of it, as JSON."""
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Bourse websocket", "version": "1", "description": DESCRIPTION},
        "defaultContentType": "application/json",
        "servers": {
            "exchange": {
                "host": "{host}",
                "pathname": "/ws/",
                "protocol": "wss",
                "variables": {"host": {"description": "Where the exchange is installed.", "default": "localhost"}},
            }
        },
        "channels": {"socket": _socket(), **{stream.key: _channel(stream) for stream in STREAMS}},
        "operations": _operations(),
        "components": {"schemas": components()},
    }


def _socket() -> dict[str, Any]:
    messages = {
        "hello": _message("The first message of each connection.", HELLO, HELLO_EXAMPLE),
        "refused": _message("What is answered to a request that cannot be done.", REFUSED, REFUSED_EXAMPLE),
    }
    for each in OPERATIONS:
        messages[f"{each.op}.request"] = _message(each.summary, each.request, each.request_example)
        messages[f"{each.op}.answer"] = _message(f"The answer to {each.op}.", each.answer, each.answer_example)
    return {"address": "/ws/", "title": "Requests and their answers", "messages": messages}


def _channel(stream: Stream) -> dict[str, Any]:
    parameters = {name: value for name, value in _PARAMETERS.items() if f"{{{name}}}" in stream.address}
    examples = {"snapshot": stream.snapshot_example, "update": stream.update_example, "gap": {"reason": "slow_reader"}}
    schemas = {"snapshot": stream.snapshot, "update": stream.update, "gap": GAP}
    summaries = {"snapshot": "How it stands.", "update": "What changed since.", "gap": "Something was missed."}
    messages = {
        type: _message(
            summaries[type],
            news(stream.pattern, type, schemas[type]),
            {"channel": stream.example, "type": type, "data": examples[type]},
        )
        for type in ("snapshot", "update", "gap")
    }
    return {
        "address": stream.address,
        "title": stream.example,
        "description": stream.summary + (" Needs a log-in; always the reader's own." if stream.private else ""),
        "messages": messages,
        **({"parameters": parameters} if parameters else {}),
    }


def _message(summary: str, payload: dict[str, Any], example: dict[str, Any]) -> dict[str, Any]:
    return {"summary": summary, "payload": payload, "examples": [{"payload": example}]}


def _operations() -> dict[str, Any]:
    found = {each.op: _operation(each) for each in OPERATIONS}
    found["greet"] = {
        "action": "send",
        "channel": {"$ref": "#/channels/socket"},
        "summary": "Each connection begins with a hello.",
        "messages": [{"$ref": "#/channels/socket/messages/hello"}],
    }
    for stream in STREAMS:
        found[f"tell.{stream.key}"] = {
            "action": "send",
            "channel": {"$ref": f"#/channels/{stream.key}"},
            "summary": stream.summary,
            "messages": [
                {"$ref": f"#/channels/{stream.key}/messages/{type}"} for type in ("snapshot", "update", "gap")
            ],
        }
    return found


def _operation(each: Operation) -> dict[str, Any]:
    socket = {"$ref": "#/channels/socket"}
    return {
        "action": "receive",
        "channel": socket,
        "summary": each.summary,
        **({"description": "Needs a log-in."} if each.needs_log_in else {}),
        "messages": [{"$ref": f"#/channels/socket/messages/{each.op}.request"}],
        "reply": {
            "channel": socket,
            "messages": [
                {"$ref": f"#/channels/socket/messages/{each.op}.answer"},
                {"$ref": "#/channels/socket/messages/refused"},
            ],
        },
    }
