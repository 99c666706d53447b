"""What the documentation in `docs/` is made with: pictures of the app, and generated pages."""
