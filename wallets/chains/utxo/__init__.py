"""The UTXO family: Bitcoin, Litecoin, and what else is only a row of parameters away.

What must never happen here: knowledge of another family, a private key, or a transaction that nobody decoded.
"""
