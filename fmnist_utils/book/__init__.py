"""From chapters to a site."""
