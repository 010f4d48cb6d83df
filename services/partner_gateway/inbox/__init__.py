"""Each organisation's own numbered inbox: written by the loop, read by the door."""
