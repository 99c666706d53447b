"""What tracing costs, as ratios measured in one run. See README.md."""
