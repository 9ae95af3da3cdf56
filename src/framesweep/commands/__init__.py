"""The subcommands of framesweep, one module each."""
