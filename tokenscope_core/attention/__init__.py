"""Where the attention of each token went: captured after the fact, for what is asked."""
