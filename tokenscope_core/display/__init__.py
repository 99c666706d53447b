"""What a token looks like, in the app, in a report, in a notebook and at a terminal."""
