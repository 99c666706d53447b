"""A session as an address or a file."""
