"""Who may see the performance pages, and how they prove who they are (services/people)."""
