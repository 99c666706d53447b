"""Programs as syntax: which part of the code each token is, and whether it can still be code.

Imports point one way: categories <- maps <- languages <- tree <- levels <- pieces <- frames and
aggregation; validity and structure stand on languages and tree. Nothing here needs torch.
"""
