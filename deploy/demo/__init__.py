"""`make demo`: the whole exchange on one machine, with real nodes on private chains, ended by Ctrl-C.

Play money only. What must never happen here: a process left behind, or any of this under production settings.
"""
