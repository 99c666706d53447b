"""What has a script of its own in the browser."""
