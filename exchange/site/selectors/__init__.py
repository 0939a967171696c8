"""What pages show, gathered from the rooms beneath: one call a view, frozen dataclasses out, nothing written."""
