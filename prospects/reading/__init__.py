"""What pages, commands and services ask of prospects. Nothing here writes."""
