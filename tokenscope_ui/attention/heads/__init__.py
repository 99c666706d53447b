"""All heads at once, and one row in all of them."""
