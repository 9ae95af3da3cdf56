"""Train, or sweep with -m: the one entrypoint."""

from framesweep.cli import train

if __name__ == "__main__":
    train()
