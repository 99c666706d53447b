"""What the pages share: components, charts, session state. Never imported by the core."""
