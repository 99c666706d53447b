"""What one pass over a text says about every head."""
