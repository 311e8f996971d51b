"""What pages ask across the apps. Nothing here writes."""
