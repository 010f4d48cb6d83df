"""Where people come in: the web application of the performance pages, and how it is served."""
