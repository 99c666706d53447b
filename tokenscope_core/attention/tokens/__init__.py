"""What attention says of single tokens: who reads them, and what they read."""
