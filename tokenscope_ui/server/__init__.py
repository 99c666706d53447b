"""What all browser sessions of one server share, and who is looking."""
