"""Log-in through others: Google, Facebook, X, Apple. Each provider is a folder of its own on the parts that stand here.

What must never happen here: an account given to somebody because of an e-mail address that a provider names; an answer that
is believed without having been asked for in this very browser session.
"""
