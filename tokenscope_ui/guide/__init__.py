"""A first example that leads through the pages: recorded, so that no model is waited for."""
