"""Train a network, or sweep with -m."""

from framesweep.cli import train

if __name__ == "__main__":
    train()
