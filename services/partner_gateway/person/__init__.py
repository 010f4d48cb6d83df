"""The pages of the named safeguarding people of a school or practice."""
