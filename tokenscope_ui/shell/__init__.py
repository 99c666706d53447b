"""The pages and the one way to reach them."""
