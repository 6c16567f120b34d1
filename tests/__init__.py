"""Tests, which mirror the tree; what they need of real programs stands in `peers`."""

import os

# Before anything imports onnxruntime, which would report to its makers: tests speak to this machine alone.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
