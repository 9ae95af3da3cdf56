"""The framesweep command as `python -m framesweep`, where its script is not on the PATH."""

from framesweep.cli import main

if __name__ == "__main__":
    main()
