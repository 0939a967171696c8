"""Jobs across rooms: `freezes`."""
