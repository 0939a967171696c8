"""What writes in this room: one module a noun. Interfaces call these; nothing here renders or parses a request."""
