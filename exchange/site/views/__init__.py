"""Pages: each view makes one call into the rooms beneath and shapes the answer."""
