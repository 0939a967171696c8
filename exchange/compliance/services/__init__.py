"""What writes in this room: `solvency`."""
