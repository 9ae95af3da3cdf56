"""The machine that a run uses: devices, memory limits, signals, files and the terminal."""
