"""Assets and prices: assets, networks, prices."""
