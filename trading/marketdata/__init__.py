"""Market data on its way out: one Valkey subscription a process, each message encoded once, a bounded mailbox a reader.

The engine publishes what it has committed; nothing here decides anything. What must never happen in this room: a gap in the
sequence passed over in silence, a queue without a bound, or one slow reader making the others wait.
"""
