"""The decode loop, and a record of every step of it."""
