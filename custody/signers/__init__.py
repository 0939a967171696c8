"""Signers: what holds a private key, or knows the device that does. Imported from inside custody only, by the signer process.

What must never happen here: Django, a network, a file, a log line, or a signature over bytes that this side did not build itself.
"""
