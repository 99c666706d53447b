"""The page of attention: what each token looked at, on the code, as a matrix, over all heads."""
