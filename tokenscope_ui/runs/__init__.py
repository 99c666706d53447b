"""Starting a run, following it, stopping it, and finding it again."""
