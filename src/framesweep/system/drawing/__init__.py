"""Figures and pages that need nothing from their surroundings."""
