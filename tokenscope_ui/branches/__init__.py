"""The tree of branches that a visitor works on, and its page."""
