"""Bringing files in: from an upload or a path to companies, people, prospects and signals."""
