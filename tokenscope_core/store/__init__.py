"""What disk keeps: results that may be evicted, and what people made, which may not."""
