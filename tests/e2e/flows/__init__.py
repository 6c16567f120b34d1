"""What peers do with us, flow by flow: CI runs them as tests, `python -m bench sip` makes a table of them.

A flow is a `Flow` in the table of one of these modules; a new one is a few lines there.
"""
