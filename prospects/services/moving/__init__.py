"""Moves through the pipelines of prospects, deals and customers, their one log, and handoffs between teams."""
