"""The compiled half of the media plane: two threads of numba code that never wait for Python.

`arrays` says what there is and who may write it; `period` is what happens to all legs in 20 ms, and what the two
threads run.
"""
