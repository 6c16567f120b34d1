"""Every figure of the project: `python -m bench NAME`."""

import os

# Before anything imports onnxruntime, which would report to its makers.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
