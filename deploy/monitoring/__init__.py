"""What operators watch a plane with: the panels of the dashboard, its JSON, and pictures of it."""
