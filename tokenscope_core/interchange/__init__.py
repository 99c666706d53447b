"""What other engines answer, read into traces.

`formats` lists what is recognised, one module a family of formats reads it into an `Answer`, and
`answer_trace` makes a trace of any answer. Readers take parsed JSON; `answer_file` parses files.
"""
