"""The compiled half of the media plane: two threads of numba code that never wait for Python.

`arrays` is all there is, `line` and `shared` say who may write it; `period` is what happens to all legs in 20 ms, and
what the two threads run.
"""
