"""The funnel: how many came into each stage, what became of them, and who is behind each number."""
