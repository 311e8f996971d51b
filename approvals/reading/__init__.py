"""What approvals' pages ask, and what they add to a prospect's own pages. Nothing here writes."""
