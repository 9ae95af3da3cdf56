"""What remains of a grid once its jobs have ended: their results, as a study, and its files."""
