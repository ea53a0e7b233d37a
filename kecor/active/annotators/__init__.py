"""Rounds with people in them: handing frames out, reading what comes back, and storing its labels."""
