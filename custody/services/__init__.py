"""What writes in this room: `signing` for everybody who needs a signature, `answering` for the signer process alone."""
