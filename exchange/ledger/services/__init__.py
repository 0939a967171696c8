"""What may be done to the book, a module a noun; import the module: `from exchange.ledger.services import transfers`.

What must never happen here: a write that is not one transaction, or a lock of accounts out of id order.
"""
