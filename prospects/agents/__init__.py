"""Discovery and qualification agents, one module each, named for the agent. They import no models."""
