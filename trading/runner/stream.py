"""Reading the shard's stream. The place reached is (generation, id), and it counts only once a batch committed it.

The generation names one life of the stream: when Valkey loses its data, the name goes with it and the next command brings a
new one, and reading begins at the new stream's beginning. Whatever is read twice is done once, by its UUID.
What must never happen here: a command skipped because its id is lower than one of another life.
"""

from __future__ import annotations

from typing import NamedTuple
from uuid import uuid4

import redis

from trading import wire

BEGINNING = "0-0"

# A stream whose name is gone gets a new one, and is read from its beginning. Ids and bodies come in one string: a reply of
# thousands of small parts costs the client more than the matching does.
_READ = """
local generation = redis.call('GET', KEYS[2])
if not generation then
  if redis.call('EXISTS', KEYS[1]) == 0 then return {'', ''} end
  generation = ARGV[4]
  redis.call('SET', KEYS[2], generation)
end
local from = ARGV[2]
if generation ~= ARGV[1] then from = '0-0' end
local entries = redis.call('XRANGE', KEYS[1], '(' .. from, '+', 'COUNT', ARGV[3])
local lines = {}
for i, entry in ipairs(entries) do
  lines[#lines + 1] = entry[1]
  lines[#lines + 1] = entry[2][2] or ''
end
return {generation, table.concat(lines, '\\n')}
"""


class Position(NamedTuple):
    """How far the stream was consumed."""

    generation: str
    id: str


class Entry(NamedTuple):
    """One entry: the position after it, and its bytes."""

    position: Position
    body: bytes


class Stream:
    """The commands of one shard."""

    def __init__(self, client: redis.Redis, shard: int) -> None:
        self._client = client
        self._stream = wire.stream(shard)
        self._keys = [self._stream, wire.generation(shard)]
        self._read = client.register_script(_READ)

    def check(self, position: Position) -> Position:
        """Where to go on from. A stream that ends before our position lost its last entries: read it from its beginning."""
        if not self._client.exists(self._stream):
            return position
        last = self._client.xinfo_stream(self._stream)["last-generated-id"].decode()
        if _order(last) < _order(position.id) and self._generation() == position.generation:
            return Position(position.generation, BEGINNING)
        return position

    def read(self, position: Position, *, most: int) -> list[Entry]:
        """What stands after the position, at once, at most `most` entries."""
        generation, joined = self._read(keys=self._keys, args=[position.generation, position.id, most, str(uuid4())])
        if not joined:
            return []
        name = generation.decode()
        lines = joined.split(b"\n")
        if len(lines) % 2:
            # A body with a line break is none of ours; take the entries one by one, so that only that one is malformed.
            return self._read_apart(name, position, most)
        return [Entry(Position(name, lines[i].decode()), lines[i + 1]) for i in range(0, len(lines), 2)]

    def wait(self, position: Position, *, milliseconds: int) -> None:
        """Return when something stands after the position, or the time is up."""
        self._client.xread({self._stream: position.id}, count=1, block=max(1, milliseconds))

    def _read_apart(self, generation: str, position: Position, most: int) -> list[Entry]:
        start = position.id if generation == position.generation else BEGINNING
        found = self._client.xrange(self._stream, min=f"({start}", max="+", count=most)
        return [Entry(Position(generation, id.decode()), next(iter(fields.values()), b"")) for id, fields in found]

    def _generation(self) -> str:
        return (self._client.get(self._keys[1]) or b"").decode()


def _order(id: str) -> tuple[int, int]:
    milliseconds, _, counter = id.partition("-")
    return int(milliseconds), int(counter or 0)
