"""Random scenes and scenes replayed from label files."""
