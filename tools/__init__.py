"""What builds and checks this project. What runs before anything is installed uses the standard library only."""

import sys

# here, because the modules below do not even load on an older Python
if sys.version_info < (3, 11):  # noqa: UP036
    sys.exit("set-up: Python 3.11 or newer is needed: install it, or name one with `make PYTHON=python3.11 ...`")
