"""JSON of a server that nobody vouches for: as deep as a chain's own data may be, and no deeper.

The library's decoder goes down the stack with every bracket: a tree of calls that a contract made on purpose would stop a
scanner, and a hostile server could end the process. What is flat goes to the library, what is deep is read here without
recursion. What must never happen here: a depth that the stack has to bear.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any

FLAT = 100  # levels; the library is far from the end of the stack there
DEPTH_MAX = 5_000  # a transaction nests at most 1,024 calls, two levels each
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_SPACE = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?", re.ASCII)
_WORDS = {"true": True, "false": False, "null": None}
_CLOSERS = {"[": "]", "{": "}"}


def loads(content: bytes, *, parse_float: Callable[[str], Any] = float) -> Any:
    """The value. Raises ValueError for what is no JSON, or deeper than DEPTH_MAX."""
    depth = _depth(content)
    if depth > DEPTH_MAX:
        raise ValueError("the JSON is too deep")
    if depth <= FLAT:
        return json.loads(content, parse_float=parse_float)
    return _Reader(content.decode(), parse_float).whole()


def _depth(content: bytes) -> int:
    """How deep it may be. Brackets inside strings count as well: then a flat text is read the slow way, and read right."""
    depth = deepest = 0
    for bracket in content.translate(None, _NOT_BRACKETS):
        if bracket in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        else:
            depth -= 1
    return deepest


class _Reader:
    """One text, read from left to right with a stack of its own."""

    def __init__(self, text: str, parse_float: Callable[[str], Any] = float) -> None:
        self.text = text
        self.parse_float = parse_float
        self.at = 0

    def whole(self) -> Any:
        value = self._value()
        self._skip()
        if self.at != len(self.text):
            raise ValueError("something follows the JSON")
        return value

    def _value(self) -> Any:
        # Of each container that is open: itself, and the name that the next value goes under (objects).
        waiting: list[tuple[Any, str]] = []
        while True:
            self._skip()
            opener = self.text[self.at : self.at + 1]
            if opener in _CLOSERS:
                self.at += 1
                value: Any = [] if opener == "[" else {}
                if not self._closes(_CLOSERS[opener]):
                    waiting.append((value, self._name() if opener == "{" else ""))
                    continue
            else:
                value = self._scalar()
            while waiting:
                container, name = waiting.pop()
                if isinstance(container, list):
                    container.append(value)
                else:
                    container[name] = value
                if not self._closes("]" if isinstance(container, list) else "}"):
                    self._expect(",")
                    waiting.append((container, "" if isinstance(container, list) else self._name()))
                    break
                value = container
            else:
                return value

    def _scalar(self) -> Any:
        if self.text[self.at : self.at + 1] == '"':
            return self._string()
        for word, value in _WORDS.items():
            if self.text.startswith(word, self.at):
                self.at += len(word)
                return value
        found = _NUMBER.match(self.text, self.at)
        if found is None:
            raise ValueError("a value is missing")
        self.at = found.end()
        return json.loads(found.group(), parse_float=self.parse_float)

    def _string(self) -> str:
        text, self.at = scanstring(self.text, self.at + 1)
        return str(text)

    def _name(self) -> str:
        self._skip()
        if self.text[self.at : self.at + 1] != '"':
            raise ValueError("a name is missing")
        name = self._string()
        self._expect(":")
        return name

    def _closes(self, closer: str) -> bool:
        self._skip()
        closes = self.text.startswith(closer, self.at)
        self.at += closes
        return closes

    def _expect(self, mark: str) -> None:
        self._skip()
        if not self.text.startswith(mark, self.at):
            raise ValueError(f"{mark} is missing")
        self.at += 1

    def _skip(self) -> None:
        found = _SPACE.match(self.text, self.at)
        assert found is not None
        self.at = found.end()
