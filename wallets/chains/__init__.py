"""Chains: what a node says and what a chain accepts, one module a chain family. A pure leaf that any room may import.

What must never happen here: a Django import, a database, a private key, or one family that knows of another
(`registry` alone knows them all).
"""
