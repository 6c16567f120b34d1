"""Ears and mouth: recognition and synthesis in a process of their own."""

import os

# onnxruntime 1.29 and later report to Microsoft unless this is set before it is first imported, by a thread that also
# makes a fork unsafe. What callers say stays on this machine, and so does that somebody called.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
