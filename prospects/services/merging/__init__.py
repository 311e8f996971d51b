"""Duplicates: deciding about them, what a decision writes, and the sweep that keeps them in order."""
