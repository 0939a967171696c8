"""The matching engine's pure core: commands in, events out, prices in ticks, quantities in lots, all of them integers.

What must never happen in this room: an import of Django, a look at the clock, at randomness, at the environment or at a
database. The same commands always give the same events and the same hash of state.

Read it in this order: facts, rules, commands, events (what is said); book, state, undo, timers (what there is, and how it
moves); checks, taking, triggers, turns (what an order goes through); placing, finding, amending, closing, governing, matching
(what is asked); fees, funds, batching (who pays, and whether he can); hashing, check (what proves it).
"""
