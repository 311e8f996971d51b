"""Checking that history is what it was."""
