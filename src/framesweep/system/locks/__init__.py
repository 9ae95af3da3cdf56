"""Files and directories that one process has at a time."""
