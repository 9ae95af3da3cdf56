"""The networks, their layers and their sizes."""
