"""What `framesweep inspect` finds in a corpus, and how it is printed."""
