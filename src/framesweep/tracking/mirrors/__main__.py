"""Starts the process of a mirror: `python -m framesweep.tracking.mirrors NAME`."""

import os
import sys

from framesweep.tracking.mirrors.child import main

code = main(sys.argv[1])
sys.stdout.flush()
# Not `sys.exit`: what W&B does when Python ends may wait for a server without end.
os._exit(code)
