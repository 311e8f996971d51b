"""Outside sources: candidates and facts about companies, behind ``salesops.runtime.toolbox.Sources``."""
