"""The runtime's host: what agents are handed, and what becomes of their proposals."""
