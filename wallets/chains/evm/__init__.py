"""The EVM family: Ethereum and every chain that speaks its JSON-RPC; the native coin and ERC-20 tokens.

What must never happen here: knowledge of another family, a private key, or a log taken from a block other than the one asked for.
"""
