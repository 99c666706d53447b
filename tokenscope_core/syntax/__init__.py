"""Programs as syntax: which part of the code each token is, and whether it can still be code.

Imports point one way: categories <- maps <- languages <- tree <- levels <- pieces <- documents <-
frames <- shares <- aggregation <- differences; totals <- bootstrap beside them; outline <- icicle;
validity (over prefixes and layout) and structure (over names) stand on languages, tree and
documents. Nothing here needs torch.
"""
