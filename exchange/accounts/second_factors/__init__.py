"""Second factors: TOTP, passkeys, recovery codes. allauth keeps them; what they are needed for and what guards them is here."""
