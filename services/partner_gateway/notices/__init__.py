"""E-mails that tell a named person that something waits in the inbox, and nothing of what it is (H10)."""
