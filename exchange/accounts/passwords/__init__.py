"""What a new password may be: any characters, long enough, not common, not known from a leak, not about its owner."""
