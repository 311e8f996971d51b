"""What a person sees of prospects: thin views, one module per page."""
