"""How values are shown where no page is: in a notebook, in a report, at a terminal.

A value is low and its rendering is high, so none of them imports this: what renders them is
registered with `record.html_repr` when the package is imported.
"""
