"""The process around the pure core: takes commands from the stream, commits each batch in one transaction, then tells.

shard.py is the process, which leads or stands by; process.py one reign and its loop; batch.py one batch from beginning to end;
store.py its SQL, and courier.py who brings it; loading.py and leadership.py the way to a book that may be traded on; stream.py
and release.py Valkey's two sides. replay.py and status.py look on from outside; faults.py is for tests.
What must never happen in this room: a reply or a market message before its batch is committed, or a second try of a commit
whose outcome is unknown.
"""
