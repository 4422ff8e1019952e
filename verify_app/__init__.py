"""Verify who someone is from a face image or a voice clip."""

import os

# ONNX Runtime reports usage to its maker from some versions on, unless this is set before it is imported.
# Nothing here talks to a network.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

__version__ = "0.1.0"
