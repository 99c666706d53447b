"""Programs as syntax: which part of the code each token is, and whether it can still be code.

Imports point one way: categories <- maps <- languages <- tree <- levels <- pieces <- documents <-
detection <- frames <- shares <- aggregation <- differences; totals <- bootstrap beside them;
outline <- icicle; prefixes (over endings and layout) <- completion <- structure (over names) and
scopes; detection and validity stand on prefixes and documents. Nothing here needs torch.
"""
