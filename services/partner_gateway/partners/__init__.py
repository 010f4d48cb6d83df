"""Who the partners are: organisations, their keys and their named people."""
