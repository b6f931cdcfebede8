"""What holds for all tests: one thread for each process that runs them, and no deadline for an example.

Several processes run the tests side by side, so that a thread for each core in each process would only get in the way,
and how long an example takes says nothing.
"""

from __future__ import annotations

import os

from hypothesis import settings

os.environ["OMP_NUM_THREADS"] = "1"  # before anything imports PyTorch; a test that sets threads is not bound by it

settings.register_profile("side by side", deadline=None)
settings.load_profile("side by side")
