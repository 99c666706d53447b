"""Programs as syntax: which part of the code each token is, and whether it can still be code.

Imports point one way: categories <- maps <- languages (over type_defaults) <- tree <- levels <-
pieces <- spread <- documents <- detection <- frames <- statements <- shares <- aggregation <-
differences; counted, totals and intervals <- interval_words beside them; outline <- icicle;
prefixes (over endings and layout) <- recognition and completion <- structure (over names) and
scopes. Documents stand on regions (stretches of code), fences, transcripts and recognition;
validity on prefixes and detection. Nothing here needs torch.
"""
