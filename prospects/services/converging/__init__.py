"""Working prospects: a convergence, who claims what of it, what stops it, and what it came to."""
